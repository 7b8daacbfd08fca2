//! A submit whose reply is lost: the resubmission is deduplicated.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use distro_tui::{
    net::{
        rpc::endpoint::Endpoint,
        trust::{identity::Identity, members::Members, peer_addr::PeerAddr, role::Role},
    },
    queue::{
        broker::{Broker, BrokerFuture, Control, Engine, Inspect, Submit},
        capabilities::{Capabilities, Operation},
        embedded::Embedded,
        error::BrokerError,
        event::Subscription,
        id::IdempotencyKey,
        options::BrokerLimits,
        remote::{self, Remote},
        state::State,
        storage::Recovery,
        task::{NewTask, Receipt},
    },
};
use tokio::{net::UdpSocket, runtime::Handle, sync::watch};

use crate::support::{Setup, count, start, sum, until};

/// Relays datagrams between a client and a server, and can drop those of the server.
struct Relay {
    addr: SocketAddr,
    dropping: Arc<AtomicBool>,
    /// The number of handshakes started, by their first packets.
    dials: watch::Sender<u64>,
}

impl Relay {
    async fn to(server: SocketAddr) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let front = UdpSocket::bind(anywhere).await.expect("a port");
        let back = UdpSocket::bind(anywhere).await.expect("a port");
        let addr = front.local_addr().expect("bound");
        let dropping = Arc::new(AtomicBool::new(false));
        let drop_replies = Arc::clone(&dropping);
        let dials = watch::Sender::new(0);
        let dialled = dials.clone();
        tokio::spawn(async move {
            let (mut there, mut back_again) = ([0; 2_048], [0; 2_048]);
            let mut client = None;
            loop {
                tokio::select! {
                    Ok((length, from)) = front.recv_from(&mut there) => {
                        client = Some(from);
                        // A long header of the type Initial (RFC 9000, section 17.2).
                        if there[0] & 0xf0 == 0xc0 {
                            dialled.send_modify(|n| *n += 1);
                        }
                        back.send_to(&there[..length], server).await.ok();
                    }
                    Ok((length, _)) = back.recv_from(&mut back_again) => {
                        if let Some(client) = client.filter(|_| !drop_replies.load(Ordering::Relaxed)) {
                            front.send_to(&back_again[..length], client).await.ok();
                        }
                    }
                }
            }
        });
        Self {
            addr,
            dropping,
            dials,
        }
    }
}

/// A broker on the network, a client of it, and the relay between them.
struct Relayed {
    server: Endpoint,
    relay: Relay,
    remote: Remote,
}

async fn relayed(broker: Arc<dyn Broker>) -> Relayed {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = || Identity::ephemeral().expect("random numbers");
    let (server_id, client_id) = (identity(), identity());
    let members = Members::self_only(server_id.public());
    members.admit(client_id.public(), Role::Member);
    let server = Endpoint::bind(anywhere, &server_id, members).expect("a port");
    let object = remote::object(broker, Recovery::default(), 1);
    server.objects().expose(remote::NAME, Arc::new(object));
    let relay = Relay::to(server.local_addr().expect("bound")).await;
    let members = Members::self_only(client_id.public());
    let client = Endpoint::bind(anywhere, &client_id, members).expect("a port");
    let peer = PeerAddr {
        addr: relay.addr,
        key: server.key(),
    };
    let remote = Remote::connect(Handle::current(), client.client(), peer, remote::NAME)
        .await
        .expect("connects");
    Relayed {
        server,
        relay,
        remote,
    }
}

/// A broker that only accepts tasks, and does not deduplicate them.
struct SubmitOnly(Embedded);

impl Engine for SubmitOnly {
    fn engine(&self) -> &'static str {
        "submit-only"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.with(Operation::Submit)
    }
}

impl Submit for SubmitOnly {
    fn submit(&self, tasks: Vec<NewTask>) -> BrokerFuture<'_, Vec<Receipt>> {
        self.0.submit(tasks)
    }
}

impl Inspect for SubmitOnly {
    fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }
}

impl Control for SubmitOnly {}

impl Broker for SubmitOnly {}

#[tokio::test]
async fn a_submit_without_a_key_is_not_repeated() {
    let engine = start(Setup::in_memory().config(1, BrokerLimits::default()));
    let broker = engine.broker.clone();
    let Relayed {
        server,
        relay,
        remote,
    } = relayed(Arc::new(SubmitOnly(engine.broker))).await;
    let accepted = remote.submit(vec![sum(1, 1)]).await.expect("accepted");
    assert_eq!(accepted.len(), 1);

    relay.dropping.store(true, Ordering::Relaxed);
    let lost = remote.submit(vec![sum(2, 2)]).await;
    assert!(matches!(lost, Err(BrokerError::Unreachable(_))), "{lost:?}");
    assert_eq!(broker.stats().await.expect("answers").submitted, 2);
    // The description of the broker, and each submit once.
    assert_eq!(server.call_counts().0, 3, "{:?}", server.call_counts());
}

#[tokio::test]
async fn a_submit_whose_reply_is_lost_is_accepted_once() {
    let setup = Setup::in_a_file();
    let engine = start(setup.config(1, BrokerLimits::default()));
    let broker = Arc::new(engine.broker);
    let Relayed {
        server,
        relay,
        remote,
    } = relayed(broker.clone()).await;

    let events = broker.subscribe();
    relay.dropping.store(true, Ordering::Relaxed);
    let submitting = tokio::spawn({
        let remote = remote.clone();
        async move { remote.submit(vec![sum(20, 22); 3]).await }
    });
    // The broker has accepted it, and the client has no reply.
    while broker.stats().await.expect("answers").submitted == 0 {
        events.next().await.expect("alive");
    }
    // The client times out and dials again, which the first connection alone would not do.
    let mut dials = relay.dials.subscribe();
    dials.mark_unchanged();
    dials.changed().await.expect("the relay runs");
    relay.dropping.store(false, Ordering::Relaxed);
    let receipts = submitting.await.expect("no panic").expect("taken");
    assert_eq!(receipts.len(), 3);
    for receipt in &receipts {
        let task = until(&*broker, &receipt.id, State::Succeeded).await;
        assert_eq!(task.result.as_deref(), Some("42"));
    }
    assert_eq!(broker.stats().await.expect("answers").submitted, 3);
    // The description of the broker, and the submit twice.
    assert!(server.call_counts().0 >= 3, "{:?}", server.call_counts());
}

#[tokio::test]
async fn the_idempotency_key_of_a_submit_survives_a_restart() {
    let setup = Setup::in_a_file();
    let config = setup.config(1, BrokerLimits::default());
    let name = IdempotencyKey(77);
    let first = {
        let engine = start(config.clone());
        engine.broker.pause(None).await.expect("answers");
        let first = engine
            .broker
            .submit_idempotent(name, vec![sum(1, 1); 2])
            .await;
        engine
            .broker
            .shutdown(std::time::Duration::ZERO)
            .await
            .expect("ends");
        first.expect("taken")
    };
    let engine = start(config);
    engine.broker.pause(None).await.expect("answers");
    let again = engine
        .broker
        .submit_idempotent(name, vec![sum(1, 1); 2])
        .await;
    assert_eq!(again, Ok(first));
    assert_eq!(engine.broker.stats().await.expect("answers").submitted, 0);
    assert!(count(&engine.broker, State::Queued).await <= 2);
}
