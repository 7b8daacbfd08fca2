"""Greetings through Pyro5: an exposed object in a process of its own, called from this one. For every number
read from standard input so many calls are made, one after the other; the seconds that took are written to
standard output."""
import multiprocessing
import sys
import time

import Pyro5.api


@Pyro5.api.expose
class Greeter:
    def welcomeMessage(self, name):
        return "Hi welcome " + name


def serve(addresses):
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    addresses.send(str(daemon.register(Greeter, "server")))
    daemon.requestLoop()


if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    with Pyro5.api.Proxy(here.recv()) as greeter:
        for line in sys.stdin:
            since = time.monotonic()
            for _ in range(int(line)):
                assert greeter.welcomeMessage("Ali") == "Hi welcome Ali"
            print(time.monotonic() - since, flush=True)
    server.terminate()
