//! The process at the other end: it serves names, calls, and what others use for the same.

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use distro_tui::net::{
    greeter,
    naming::{self, NamingLimits, NamingServer, RegisterRequest},
    rpc::object::Caller,
    trust::{key::PublicKey, peer_addr::PeerAddr, role::Role},
};
use futures_util::{StreamExt, future::ready};
use tarpc::{
    context, serde_transport,
    server::{BaseChannel, Channel},
    tokio_serde::formats::Bincode,
};

use crate::{
    bare,
    network::{self, ANYWHERE},
};

pub(crate) const NAMES: usize = 100_000;

/// Set for the process that serves.
pub(crate) const SERVE: &str = "BENCH_SERVE";

#[tarpc::service]
pub(crate) trait Welcome {
    async fn welcome(name: String) -> String;
}

#[derive(Clone)]
struct Welcomer;

impl Welcome for Welcomer {
    async fn welcome(self, _: context::Context, name: String) -> String {
        format!("Hi welcome {name}")
    }
}

/// Serves everything, says where, and ends when nobody holds the other end of its input.
pub(crate) fn serve(client: PublicKey) {
    let udp = UdpSocket::bind(ANYWHERE).expect("a free port");
    let udp_addr = udp.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let answer = buffer.get(..length).expect("no longer than the buffer");
            udp.send_to(answer, from).expect("loopback takes it");
        }
    });
    let (bare, tarpc, ours) = network::in_thread(move || {
        let naming = NamingServer::new(NamingLimits::default());
        fill(&naming);
        let (endpoint, peer) = network::endpoint(&network::identity(), client);
        let objects = endpoint.objects();
        objects.expose(naming::NAME, Arc::new(naming.object()));
        objects.expose(greeter::NAME, Arc::new(greeter::greeter()));
        // It lives as long as the thread.
        std::mem::forget(endpoint);
        let handle = tokio::runtime::Handle::current();
        let (addr_sender, tarpc) = std::sync::mpsc::channel();
        handle.spawn(serve_tarpc(addr_sender));
        (bare::serve(&shared_key()), tarpc, peer)
    });
    let tarpc: SocketAddr = tarpc.recv().expect("it listens");
    println!("{udp_addr} {bare} {tarpc} {} {}", ours.addr, ours.key);
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

/// Both processes hold the same key for bare quinn, which is about speed and not about trust: it follows
/// from nothing but this text.
pub(crate) fn shared_key() -> Arc<rustls::sign::CertifiedKey> {
    bare::key_from_file(&std::env::temp_dir().join("distro-tui-bench-bare.pem"))
}

pub(crate) fn fill(naming: &NamingServer) {
    let owner = Caller {
        principal: PublicKey::from_bytes([9; 32]).into(),
        role: Role::Member,
    };
    for n in 0..NAMES {
        let mut wanted =
            RegisterRequest::new(name(n), "distro:x@127.0.0.1:1".parse().expect("a URI"));
        wanted.lease_ms = Some(0);
        naming.register(&owner, wanted).expect("a free name");
    }
}

pub(crate) fn name(n: usize) -> String {
    format!("service.{n:06}")
}

pub(crate) async fn serve_tarpc(addr_sender: std::sync::mpsc::Sender<SocketAddr>) {
    let listener = serde_transport::tcp::listen("127.0.0.1:0", Bincode::default);
    let listener = listener.await.expect("a free port");
    addr_sender
        .send(listener.local_addr())
        .expect("it is waited for");
    listener
        .filter_map(|transport| ready(transport.ok()))
        .map(BaseChannel::with_defaults)
        .for_each(|channel| {
            let calls = channel.execute(Welcomer.serve());
            tokio::spawn(calls.for_each(|call| {
                tokio::spawn(call);
                ready(())
            }));
            ready(())
        })
        .await;
}

/// The process at the other end.
pub(crate) struct Server {
    child: Child,
    pub(crate) udp: SocketAddr,
    pub(crate) bare: SocketAddr,
    pub(crate) tarpc: SocketAddr,
    pub(crate) ours: PeerAddr,
}

impl Server {
    pub(crate) fn start(client: PublicKey) -> Self {
        let program = std::env::current_exe().expect("a running program has a file");
        let mut child = Command::new(program)
            .env(SERVE, client.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [udp, bare, tarpc, ours, key] = words[..] else {
            panic!("the server said `{line}`");
        };
        let addr = |text: &str| text.parse().expect("an address");
        Self {
            child,
            udp: addr(udp),
            bare: addr(bare),
            tarpc: addr(tarpc),
            ours: PeerAddr {
                addr: addr(ours),
                key: key.parse().expect("a key"),
            },
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}
