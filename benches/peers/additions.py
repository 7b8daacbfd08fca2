"""Additions through huey on SQLite with fsync, in this process. For every number read from standard input so
many are submitted and awaited; the seconds that took are written to standard output."""
import sys
import threading
import time

from huey import SqliteHuey

huey = SqliteHuey("bench", filename=sys.argv[1], fsync=True)
done = threading.Semaphore(0)


@huey.task()
def add(x, y):
    done.release()
    return x + y


consumer = huey.create_consumer(workers=4, worker_type="thread")
consumer.start()
for line in sys.stdin:
    count = int(line)
    since = time.monotonic()
    for i in range(count):
        add(i, 7)
    for _ in range(count):
        done.acquire()
    while huey.result_count() < count:
        time.sleep(0.001)
    print(time.monotonic() - since, flush=True)
    huey.flush()
