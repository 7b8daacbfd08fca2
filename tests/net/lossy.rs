//! Lookup and greeting on a lossy network: two hundred seeds of loss and jitter, a partition longer than
//! the lease, a naming server that crashes and comes back.

use std::net::SocketAddr;

use distro_tui::{
    net::{
        greeter,
        naming::{self, Health, LeaseStatus, NamingClient, proxy::Proxy},
        rpc::{endpoint::Endpoint, error::CallError},
        trust::{identity::Identity, members::Members, role::Role},
    },
    value::Value,
};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    sim::{Conditions, Network},
    support::{Server, identity},
};

const NAMING: &str = "10.0.0.1:1";
const GREETER: &str = "10.0.0.2:1";
const CLIENT: &str = "10.0.0.3:1";

fn endpoint(network: &Network, addr: &str, identity: &Identity, allowed: &[&Identity]) -> Endpoint {
    let addr: SocketAddr = addr.parse().expect("an address");
    let members = Members::self_only(identity.public());
    for other in allowed {
        members.admit(other.public(), Role::Member);
    }
    Endpoint::with_socket(network.socket(addr), identity, members).expect("an endpoint")
}

/// Three processes: the naming server, the greeter, and a client.
struct World {
    network: Network,
    naming_id: Identity,
    greeter_id: Identity,
    client_id: Identity,
    server: Server,
    client: Endpoint,
    greeter_status: tokio::sync::watch::Receiver<LeaseStatus>,
    stop: CancellationToken,
}

impl World {
    fn new(seed: u64, conditions: Conditions) -> Self {
        let network = Network::new(seed, conditions);
        let (naming_id, greeter_id, client_id) = (identity(), identity(), identity());
        let naming = endpoint(&network, NAMING, &naming_id, &[&greeter_id, &client_id]);
        let server = Server::start(&naming, NAMING.parse().expect("an address"));
        let greeter = endpoint(&network, GREETER, &greeter_id, &[&client_id]);
        greeter
            .objects()
            .expose(greeter::NAME, std::sync::Arc::new(greeter::greeter()));
        let registration = server.keep_greeter(&greeter, GREETER.parse().expect("an address"));
        let greeter_status = registration.status();
        let stop = CancellationToken::new();
        tokio::spawn(registration.run(stop.clone()));
        let client = endpoint(&network, CLIENT, &client_id, &[]);
        Self {
            network,
            naming_id,
            greeter_id,
            client_id,
            server,
            client,
            greeter_status,
            stop,
        }
    }

    fn naming(&self) -> NamingClient {
        self.server.naming_client(&self.client)
    }

    async fn registered(&mut self) {
        self.greeter_status
            .wait_for(|status| *status == LeaseStatus::Held)
            .await
            .expect("the greeter goes on trying");
    }

    async fn greet(&self, name: &str) -> Result<Value, CallError> {
        let proxy = Proxy::new(self.naming(), greeter::NAME);
        proxy
            .call(greeter::METHOD, vec![name.into()])
            .await
            .map(|called| called.value)
    }
}

fn lossy() -> Conditions {
    Conditions {
        loss: 0.10,
        duplicate: 0.02,
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(15),
        partitioned: false,
    }
}

/// Runs a simulation on a paused clock. Every seed has its own runtime, so that no state is shared.
fn simulate<F: Future<Output = ()>>(run: F) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(run);
}

#[test]
fn two_hundred_seeds_of_loss_and_every_greeting_arrives() {
    for seed in 0..200 {
        simulate(async {
            let mut world = World::new(seed, lossy());
            world.registered().await;
            for n in 0..20 {
                let name = format!("n{n}");
                match world.greet(&name).await {
                    Ok(greeting) => {
                        assert_eq!(greeting, format!("Hi welcome {name}").into(), "seed {seed}");
                    }
                    // A rare call meets its deadline; none may fail in another way, and no result may be
                    // wrong.
                    Err(CallError::Deadline(_)) => {}
                    Err(error) => panic!("seed {seed}, call {n}: {error}"),
                }
            }
        });
    }
}

#[test]
fn in_a_partition_the_deadline_bounds_the_call_and_the_lease_runs_out() {
    for seed in 0..20 {
        simulate(async {
            let mut world = World::new(
                seed,
                Conditions {
                    loss: 0.0,
                    ..lossy()
                },
            );
            world.registered().await;
            assert!(world.greet("before").await.is_ok());

            world
                .network
                .update(|conditions| conditions.partitioned = true);
            let since = Instant::now();
            let error = world.greet("during").await.expect_err("nothing passes");
            assert!(
                matches!(error, CallError::Deadline(_)),
                "seed {seed}: {error}"
            );
            assert!(
                since.elapsed() <= Duration::from_millis(5_100),
                "{:?}",
                since.elapsed()
            );

            // Longer than the lease and than the connections' idle timeout.
            sleep(Duration::from_secs(60)).await;
            world
                .network
                .update(|conditions| conditions.partitioned = false);
            let healed = Instant::now();
            while world.greet("after").await.is_err() {
                sleep(Duration::from_millis(100)).await;
                let waited = healed.elapsed();
                assert!(waited < Duration::from_secs(20), "seed {seed}: {waited:?}");
            }
        });
    }
}

#[test]
fn a_frozen_server_is_suspect_before_it_is_gone() {
    simulate(async {
        let mut world = World::new(
            1,
            Conditions {
                loss: 0.0,
                ..lossy()
            },
        );
        world.registered().await;
        let naming = world.naming();
        // The greeter stops renewing silently, as a stopped process does.
        let silent = world.network.socket(GREETER.parse().expect("an address"));
        sleep(Duration::from_secs(11)).await;
        let found = naming.lookup(greeter::NAME).await.expect("still leased");
        assert_eq!(found[0].health, Health::Suspect);
        sleep(Duration::from_secs(6)).await;
        assert!(
            naming.lookup(greeter::NAME).await.is_err(),
            "gone with its lease"
        );
        drop(silent);
    });
}

#[test]
fn a_naming_server_that_crashes_and_comes_back_is_filled_again() {
    simulate(async {
        let mut world = World::new(
            3,
            Conditions {
                loss: 0.0,
                ..lossy()
            },
        );
        world.registered().await;
        assert!(world.greet("before").await.is_ok());
        // A new process with the same key on the same address, and an empty registry. Its reset
        // and connection-id keys derive from the identity, so old connections are reset at once.
        let allowed = [&world.greeter_id, &world.client_id];
        let naming = endpoint(&world.network, NAMING, &world.naming_id, &allowed);
        world.server = Server::start(&naming, NAMING.parse().expect("an address"));
        let restarted = Instant::now();
        while world.greet("after").await.is_err() {
            sleep(Duration::from_millis(50)).await;
            let waited = restarted.elapsed();
            assert!(
                waited < Duration::from_secs(7),
                "one renewal at most: {waited:?}"
            );
        }
        world.stop.cancel();
    });
}

/// Repeated partitions longer than a lease and restarts of the naming server, while datagrams are lost,
/// duplicated and reordered.
#[test]
fn two_hundred_seeds_of_partitions_and_restarts_and_everything_comes_back() {
    for seed in 0..200 {
        simulate(async {
            let mut world = World::new(seed, lossy());
            world.registered().await;
            let mut servers = Vec::new();
            for round in 0..3 {
                if (seed >> round) & 1 == 0 {
                    world
                        .network
                        .update(|conditions| conditions.partitioned = true);
                    sleep(Duration::from_secs(20 + seed % 30)).await;
                    world
                        .network
                        .update(|conditions| conditions.partitioned = false);
                } else {
                    let allowed = [&world.greeter_id, &world.client_id];
                    let naming = endpoint(&world.network, NAMING, &world.naming_id, &allowed);
                    world.server = Server::start(&naming, NAMING.parse().expect("an address"));
                    servers.push(naming);
                }
                let since = Instant::now();
                loop {
                    match world.greet("after").await {
                        Ok(greeting) => {
                            assert_eq!(greeting, "Hi welcome after".into(), "seed {seed}");
                            break;
                        }
                        Err(_) => sleep(Duration::from_millis(100)).await,
                    }
                    let waited = since.elapsed();
                    assert!(waited < Duration::from_secs(40), "seed {seed}: {waited:?}");
                }
                // No name is there twice.
                let listed = world.naming().list(&naming::NameQuery::default()).await;
                if let Ok(listed) = listed {
                    let names: Vec<_> = listed.records.iter().map(|r| r.name.as_str()).collect();
                    assert_eq!(names, [naming::NAME, greeter::NAME], "seed {seed}");
                }
            }
            world.stop.cancel();
        });
    }
}

/// A datagram that arrives twice is a call that runs once.
#[test]
fn duplicated_datagrams_do_not_run_a_call_twice() {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };
    for seed in 0..50 {
        simulate(async {
            let conditions = Conditions {
                duplicate: 0.5,
                ..lossy()
            };
            let network = Network::new(seed, conditions);
            let (server_id, client_id) = (identity(), identity());
            let server = endpoint(&network, NAMING, &server_id, &[&client_id]);
            let runs = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&runs);
            let object = distro_tui::net::rpc::service::Service::new("Counts").method(
                "count() -> int",
                "Counts.",
                move |_, []: [(); 0]| {
                    let n = counted.fetch_add(1, Ordering::Relaxed);
                    async move { Ok::<_, distro_tui::net::rpc::error::RemoteError>(n) }
                },
            );
            server.objects().expose("counter", Arc::new(object));
            let client = endpoint(&network, CLIENT, &client_id, &[]);
            let peer = distro_tui::net::trust::peer_addr::PeerAddr {
                addr: NAMING.parse().expect("an address"),
                key: server.key(),
            };
            for n in 0..20_u64 {
                let request =
                    distro_tui::net::rpc::client::Request::new("counter", "count", vec![]);
                let deadline = Duration::from_secs(60);
                let counted = client.client().call(peer, request, deadline).await;
                assert_eq!(counted, Ok(Value::Int(n as i64)), "seed {seed}");
            }
            assert_eq!(runs.load(Ordering::Relaxed), 20);
        });
    }
}
