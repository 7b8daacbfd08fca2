//! The calling side.

use std::{net::UdpSocket, sync::Arc, time::Instant};

use distro_tui::net::{
    greeter,
    naming::{self, NamingClient, RegisterRequest},
    rpc::client::{Client, DEADLINE, Request},
    trust::identity::Identity,
};
use futures_util::{StreamExt, future::ready};
use tarpc::{client, context, serde_transport, tokio_serde::formats::Bincode};
use tokio::runtime::Runtime;

use crate::{
    bare,
    network::{self, ANYWHERE, closed_loop},
    server::{NAMES, Server, WelcomeClient, name, shared_key},
    support::{SPAN, Sample},
};

const CHANGES: u64 = 10_000;

/// What the calling side holds.
pub(crate) struct Callers {
    identity: Identity,
    runtime: Runtime,
    client: Client,
    server: Server,
    udp: UdpSocket,
    bare: quinn::Connection,
    tarpc: WelcomeClient,
}

impl Callers {
    pub(crate) fn start() -> Self {
        let identity: Identity = network::identity();
        // The server makes the key that both use before the caller reads it.
        let server = Server::start(identity.public());
        let udp = UdpSocket::bind(ANYWHERE).expect("a free port");
        udp.connect(server.udp).expect("loopback has a route");
        udp.set_read_timeout(Some(DEADLINE)).expect("above zero");
        let runtime = network::runtime();
        let client = {
            let _entered = runtime.enter();
            network::endpoint(&identity, identity.public()).0.client()
        };
        let config = bare::client(&shared_key());
        let bare = runtime.block_on(bare::connect(config, server.bare)).1;
        let tarpc = runtime.block_on(async {
            let transport = serde_transport::tcp::connect(server.tarpc, Bincode::default);
            let transport = transport.await.expect("it listens");
            WelcomeClient::new(client::Config::default(), transport).spawn()
        });
        Self {
            identity,
            runtime,
            client,
            server,
            udp,
            bare,
            tarpc,
        }
    }

    pub(crate) fn udp(&self) -> Sample {
        Sample::of(|| {
            let (until, mut count, mut buffer) = (Instant::now() + SPAN, 0, [0; 64]);
            while Instant::now() < until {
                self.udp.send(&bare::PAYLOAD).expect("loopback takes it");
                self.udp.recv(&mut buffer).expect("loopback loses nothing");
                count += 1;
            }
            count
        })
    }

    pub(crate) fn bare(&self, in_flight: usize) -> Sample {
        let connection = self.bare.clone();
        let call = move || {
            let connection = connection.clone();
            async move { bare::call(&connection).await }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    pub(crate) fn calls(&self, in_flight: usize) -> Sample {
        let (client, peer) = (self.client.clone(), self.server.ours);
        let call = move || {
            let client = client.clone();
            async move {
                let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
                let answer = client.call(peer, request, DEADLINE).await;
                assert_eq!(answer, Ok("Hi welcome Ali".into()));
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    /// Connections one after the other, each by a client that was never there before.
    pub(crate) fn connections(&self) -> Sample {
        let peer = self.server.ours;
        Sample::of(|| {
            let (until, mut count) = (Instant::now() + SPAN, 0);
            while Instant::now() < until {
                self.runtime.block_on(async {
                    let (endpoint, _) = network::endpoint(&self.identity, self.identity.public());
                    let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
                    let answer = endpoint.client().call(peer, request, DEADLINE).await;
                    assert_eq!(answer, Ok("Hi welcome Ali".into()));
                });
                count += 1;
            }
            count
        })
    }

    pub(crate) fn bare_connections(&self) -> Sample {
        Sample::of(|| {
            let (until, mut count) = (Instant::now() + SPAN, 0);
            while Instant::now() < until {
                self.runtime.block_on(async {
                    let config = bare::client(&shared_key());
                    let (_endpoint, connection) = bare::connect(config, self.server.bare).await;
                    bare::call(&connection).await;
                });
                count += 1;
            }
            count
        })
    }

    pub(crate) fn tarpc(&self, in_flight: usize) -> Sample {
        let client = self.tarpc.clone();
        let call = move || {
            let client = client.clone();
            async move {
                let answer = client.welcome(context::current(), "Ali".into()).await;
                assert_eq!(answer.expect("an answer"), "Hi welcome Ali");
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(in_flight, SPAN, call)))
    }

    pub(crate) fn lookups(&self) -> Sample {
        let naming = NamingClient::new(self.client.clone(), self.server.ours);
        let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let call = move || {
            let (naming, next) = (naming.clone(), Arc::clone(&next));
            async move {
                let n = next.fetch_add(7_919, std::sync::atomic::Ordering::Relaxed) % NAMES;
                let found = naming.lookup(&name(n)).await.expect("registered");
                assert_eq!(found.len(), 1);
            }
        };
        Sample::of(|| self.runtime.block_on(closed_loop(64, SPAN, call)))
    }

    /// Names are registered, 64 at a time, and a watcher follows; counted is what it has seen.
    pub(crate) fn watched(&self) -> Sample {
        let naming = NamingClient::new(self.client.clone(), self.server.ours);
        Sample::of(|| {
            self.runtime.block_on(async {
                let listed = naming.list(&naming::NameQuery::default()).await;
                let from = listed.expect("a page").revision;
                let mut watch = naming.watch(Some(from)).await.expect("a watch");
                let registering = futures_util::stream::iter(0..CHANGES)
                    .map(|n| {
                        let naming = naming.clone();
                        async move {
                            // The same hundred names again and again: each is a change.
                            let name = format!("watched.{}", n % 100);
                            let wanted = RegisterRequest::new(
                                name,
                                "distro:x@127.0.0.1:1".parse().expect("a URI"),
                            );
                            naming.register(&wanted).await.expect("room");
                        }
                    })
                    .buffer_unordered(64)
                    .for_each(ready);
                let watching = async {
                    let mut at = from;
                    while at < from + CHANGES {
                        match watch.next().await.expect("goes on").expect("goes on") {
                            naming::NameEvent::Changes { revision, .. }
                            | naming::NameEvent::Snapshot { revision, .. } => at = revision,
                        }
                    }
                };
                tokio::join!(registering, watching);
            });
            CHANGES
        })
    }
}
