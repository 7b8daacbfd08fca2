//! Attacks on authentication and authorization, on real sockets.

use std::{net::SocketAddr, sync::Arc};

use distro_tui::net::{
    admission::{self, AdmissionClient, AdmissionService, TicketOptions},
    greeter,
    naming::{self, NamingClient, NamingLimits, NamingServer, RegisterRequest, ShareRule},
    rpc::{
        client::{DEADLINE, Request},
        endpoint::Endpoint,
        error::{CallError, Code},
    },
    trust::{
        identity::Identity, members::Members, peer_addr::PeerAddr, role::Role, ticket::Ticket,
    },
};
use tokio::time::{Duration, timeout};

use crate::support::{identity, uri};

/// A node that others can join: naming server, greeter, and the object that lists peers.
struct Home {
    endpoint: Endpoint,
    peer: PeerAddr,
    naming: NamingServer,
    service: AdmissionService,
}

impl Home {
    fn start(identity: &Identity) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let members = Members::self_only(identity.public());
        let endpoint = Endpoint::bind(anywhere, identity, members).expect("a free port");
        let addr = endpoint.local_addr().expect("bound");
        let naming = NamingServer::new(NamingLimits::default());
        let service = AdmissionService {
            endpoint: endpoint.clone(),
            naming: Some(naming.clone()),
            addrs: vec![addr],
        };
        let objects = endpoint.objects();
        objects.expose(naming::NAME, Arc::new(naming.object()));
        objects.expose(greeter::NAME, Arc::new(greeter::greeter()));
        objects.expose(admission::NAME, Arc::new(service.clone().object()));
        let peer = PeerAddr {
            addr,
            key: endpoint.key(),
        };
        Self {
            endpoint,
            peer,
            naming,
            service,
        }
    }

    async fn ticket(&self, role: Role, options: TicketOptions) -> Ticket {
        let text = self
            .service
            .issue_ticket(role, options)
            .await
            .expect("given out");
        text.parse().expect("a ticket")
    }

    fn names(&self, from: &Endpoint) -> NamingClient {
        NamingClient::new(from.client(), self.peer)
    }

    fn peers(&self, from: &Endpoint) -> AdmissionClient {
        AdmissionClient::new(from.client(), self.peer)
    }

    async fn greet(&self, from: &Endpoint) -> Result<String, CallError> {
        let request = Request::new(greeter::NAME, greeter::METHOD, vec!["Ali".into()]);
        let value = from.client().call(self.peer, request, DEADLINE).await?;
        Ok(value.to_typed().expect("text"))
    }

    /// A member with this role.
    async fn joined(&self, role: Role) -> Endpoint {
        let someone = unknown_client();
        let ticket = self.ticket(role, TicketOptions::default()).await;
        let joined = someone.client().join(&ticket, role.as_str()).await;
        assert_eq!(joined.expect("joins").1, role);
        someone
    }
}

fn unknown_client() -> Endpoint {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = identity();
    let members = Members::self_only(identity.public());
    Endpoint::bind(anywhere, &identity, members).expect("a free port")
}

fn home() -> Home {
    Home::start(&identity())
}

fn denied<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    match result {
        Err(CallError::Remote(error)) if error.code == Code::Denied => error.message,
        other => panic!("it was not denied: {other:?}"),
    }
}

fn not_connected<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    match result {
        Err(CallError::Connect { reason, .. }) => reason.to_string(),
        Err(error @ CallError::Unauthorized(_)) => error.to_string(),
        other => panic!("it got through: {other:?}"),
    }
}

#[tokio::test]
async fn a_ticket_admits_a_key_and_later_the_key_is_enough() {
    let home = home();
    let member = unknown_client();
    let reason = not_connected(home.greet(&member).await);
    assert!(reason.contains("join with a ticket"), "{reason}");
    let ticket = home.ticket(Role::Member, TicketOptions::default()).await;
    let joined = member.client().join(&ticket, "web1").await;
    assert_eq!(joined, Ok((home.peer, Role::Member)));
    assert_eq!(home.greet(&member).await.expect("greets"), "Hi welcome Ali");
    let hello = member.client().connect(home.peer, DEADLINE).await;
    assert_eq!(hello.expect("connected").role, Role::Member);
    // The ticket is invalid now, and members are unaffected.
    home.endpoint
        .members()
        .invalidate_tickets(None)
        .await
        .expect("stored");
    assert!(home.greet(&member).await.is_ok());
    let listed = home.peers(&member).list().await.expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].member.label.as_str(), listed[0].connections),
        ("web1", 1)
    );
}

#[tokio::test]
async fn an_attacker_on_the_path_has_another_key_and_is_rejected() {
    let (home, attacker) = (home(), home());
    let mut ticket = home.ticket(Role::Admin, TicketOptions::default()).await;
    // An attacker on the path redirects the packets to another server.
    ticket.addrs = vec![attacker.peer.addr];
    let member = unknown_client();
    let reason = not_connected(member.client().join(&ticket, "").await);
    assert!(reason.contains("another key"), "{reason}");
    assert!(attacker.endpoint.members().list().is_empty());
    // The same for a member.
    let member = home.joined(Role::Member).await;
    let elsewhere = PeerAddr {
        addr: attacker.peer.addr,
        key: home.peer.key,
    };
    let client = member.client();
    let reason = not_connected(client.connect(elsewhere, DEADLINE).await);
    assert!(reason.contains("another key"), "{reason}");
}

#[tokio::test]
async fn an_unknown_key_can_call_nothing() {
    let home = home();
    let unknown_client = unknown_client();
    not_connected(
        home.names(&unknown_client)
            .list(&naming::NameQuery::default())
            .await,
    );
    not_connected(home.peers(&unknown_client).list().await);
    assert_eq!(home.endpoint.connection_stats().denied, 2);
}

#[tokio::test]
async fn a_guessed_secret_or_another_role_is_not_proved() {
    let home = home();
    let real = home.ticket(Role::Read, TicketOptions::default()).await;
    let other = Home::start(&identity())
        .ticket(Role::Read, TicketOptions::default())
        .await;
    let guessed = Ticket {
        secret: other.secret,
        ..real.clone()
    };
    let raised = Ticket {
        role: Role::Admin,
        ..real.clone()
    };
    let invented = Ticket {
        serial: 99,
        ..real.clone()
    };
    for wrong in [guessed, raised, invented] {
        let why = denied(unknown_client().client().join(&wrong, "").await);
        assert_eq!(why, "this ticket is not known here; ask for another");
    }
    assert!(home.endpoint.members().list().is_empty());
    assert!(unknown_client().client().join(&real, "").await.is_ok());
}

#[tokio::test]
async fn a_ticket_that_is_no_longer_valid_is_rejected_with_the_reason() {
    let home = home();
    let once = TicketOptions {
        once: true,
        ..TicketOptions::default()
    };
    let ticket = home.ticket(Role::Member, once).await;
    let join = |ticket: Ticket| async move { unknown_client().client().join(&ticket, "").await };
    assert!(join(ticket.clone()).await.is_ok());
    assert!(denied(join(ticket).await).contains("has been used"));
    let over = TicketOptions {
        expires: Some(0),
        ..TicketOptions::default()
    };
    let ticket = home.ticket(Role::Member, over).await;
    assert!(denied(join(ticket).await).contains("has expired"));
    let ticket = home.ticket(Role::Member, TicketOptions::default()).await;
    let admin = home.joined(Role::Admin).await;
    let invalidated = home
        .peers(&admin)
        .invalidate_tickets(Some(Role::Member))
        .await;
    assert_eq!(invalidated, Ok(2));
    assert!(denied(join(ticket).await).contains("was withdrawn"));
}

#[tokio::test]
async fn a_single_use_ticket_admits_one_of_two() {
    let home = home();
    let once = TicketOptions {
        once: true,
        ..TicketOptions::default()
    };
    for _ in 0..10 {
        let ticket = home.ticket(Role::Member, once).await;
        let (first, second) = (unknown_client(), unknown_client());
        let (first, second) = (first.client(), second.client());
        let both = tokio::join!(first.join(&ticket, "a"), second.join(&ticket, "b"));
        assert_eq!(u8::from(both.0.is_ok()) + u8::from(both.1.is_ok()), 1);
    }
}

/// The table of roles, cell by cell.
#[tokio::test]
async fn each_role_may_do_what_the_table_says() {
    let home = home();
    let others = home.joined(Role::Member).await;
    for role in Role::ALL {
        let who = home.joined(role).await;
        let (names, peers) = (home.names(&who), home.peers(&who));
        let writes = role >= Role::Member;
        let rules = role == Role::Admin;
        let own = format!("own-{role}");
        let theirs = format!("theirs-{role}");
        let at = home.peer.addr;
        home.names(&others)
            .register(&RegisterRequest::new(&theirs, uri("x", at)))
            .await
            .expect("registered");
        // Looking and calling.
        assert!(names.lookup(&theirs).await.is_ok());
        assert!(names.list(&naming::NameQuery::default()).await.is_ok());
        assert!(names.watch(None).await.is_ok());
        assert!(home.greet(&who).await.is_ok());
        assert_eq!(peers.who_am_i().await.expect("answers").role, role);
        // Its own names.
        let granted = names
            .register(&RegisterRequest::new(&own, uri("x", at)))
            .await;
        assert_eq!(granted.is_ok(), writes, "{role} registers");
        let id = granted.map_or(0, |granted| granted.id);
        assert_eq!(names.renew(&own, id).await.is_ok(), writes, "{role} renews");
        let tagged = names.set_tags(&own, &["x".into()]).await;
        assert_eq!(tagged.is_ok(), writes, "{role} tags");
        assert_eq!(
            names.unregister(&own).await.is_ok(),
            writes,
            "{role} removes"
        );
        // Those of others.
        denied(names.unregister(&theirs).await);
        let all = names.unregister_all(&theirs).await;
        assert_eq!(all.is_ok(), rules, "{role} removes others'");
        // Peers and tickets.
        assert_eq!(peers.list().await.is_ok(), writes, "{role} lists peers");
        let ticket = peers
            .issue_ticket(Role::Admin, TicketOptions::default())
            .await;
        assert_eq!(ticket.is_ok(), rules, "{role} makes tickets");
        assert_eq!(
            peers.invalidate_tickets(None).await.is_ok(),
            rules,
            "{role} rotates"
        );
        let nobody = peers.revoke("nobody").await;
        match nobody {
            Err(CallError::Remote(error)) if rules => assert_eq!(error.code, Code::NotFound),
            other => drop(denied(other)),
        }
    }
}

#[tokio::test]
async fn revoking_a_key_ends_its_connections_and_its_names_at_once() {
    let home = home();
    let admin = home.joined(Role::Admin).await;
    let thief = home.joined(Role::Member).await;
    let wanted = RegisterRequest::new("loot", uri("x", home.peer.addr));
    home.names(&thief)
        .register(&wanted)
        .await
        .expect("registered");
    let mut watch = home.names(&thief).watch(None).await.expect("watches");
    assert!(watch.next().await.is_ok());
    let key = thief.key().to_string();
    let gone = home
        .peers(&admin)
        .revoke(key.get(..10).expect("keys are long"))
        .await
        .expect("revoked");
    assert_eq!(gone.key, thief.key());
    // What was open is closed.
    let cut = timeout(DEADLINE, watch.next())
        .await
        .expect("it is notified");
    assert!(matches!(cut, Err(CallError::Lost { .. })), "{cut:?}");
    assert_eq!(home.naming.count(), 0, "its lease has ended");
    // A new connection, which resumes the session of the old one, is refused as well.
    let proved = home.endpoint.connection_stats().proved;
    let reason = not_connected(home.greet(&thief).await);
    assert!(reason.contains("does not know"), "{reason}");
    assert_eq!(
        home.endpoint.connection_stats().proved,
        proved,
        "it was resumed"
    );
    // So is an old ticket; one that was made since lets it in again.
    let serial = |ticket: &Ticket| ticket.serial;
    let old = home.ticket(Role::Member, TicketOptions::default()).await;
    assert!(denied(thief.client().join(&old, "").await).contains("revoked"));
    home.endpoint
        .members()
        .invalidate_tickets(None)
        .await
        .expect("stored");
    let new = home.ticket(Role::Member, TicketOptions::default()).await;
    assert!(serial(&new) > serial(&old));
    assert!(thief.client().join(&new, "").await.is_ok());
    assert!(home.greet(&thief).await.is_ok());
}

#[tokio::test]
async fn another_role_counts_from_the_next_call_on() {
    let home = home();
    let who = home.joined(Role::Member).await;
    let wanted = RegisterRequest::new("mine", uri("x", home.peer.addr));
    home.names(&who)
        .register(&wanted)
        .await
        .expect("registered");
    home.endpoint.members().admit(who.key(), Role::Read);
    // The first call may meet the connection as it is being closed.
    home.names(&who).ping().await.ok();
    denied(home.names(&who).register(&wanted).await);
    assert!(home.greet(&who).await.is_ok());
}

#[tokio::test]
async fn a_name_belongs_to_the_key_that_registered_it() {
    let home = home();
    let (owner, thief) = (
        home.joined(Role::Member).await,
        home.joined(Role::Member).await,
    );
    let mut wanted = RegisterRequest::new("bank", uri("x", home.peer.addr));
    wanted.share = Some(ShareRule::Owner);
    home.names(&owner)
        .register(&wanted)
        .await
        .expect("registered");
    let taken = home.names(&thief).register(&wanted).await;
    let Err(CallError::Remote(error)) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!(error.code, Code::Exists);
    assert!(
        error.message.contains(&owner.key().fingerprint()),
        "{error}"
    );
    denied(home.names(&thief).unregister("bank").await);
    let listed = home.names(&thief).lookup("bank").await.expect("listed");
    assert_eq!(listed[0].owner, owner.key());
}

/// A member may call itself whatever it likes, even by the key of another one.
#[tokio::test]
async fn a_key_means_that_key_and_no_label() {
    let home = home();
    let admin = home.joined(Role::Admin).await;
    let (liar, other) = (unknown_client(), unknown_client());
    let ticket = home.ticket(Role::Member, TicketOptions::default()).await;
    let label = other.key().to_string();
    liar.client().join(&ticket, &label).await.expect("joins");
    let member = home.endpoint.members().list();
    let member = member.iter().find(|member| member.key == liar.key());
    assert_eq!(member.expect("joined").label, "", "it looks like a key");
    // The key of nobody is revoked, and its owner cannot join later.
    let revoked = home.peers(&admin).revoke(&label).await.expect("revoked");
    assert_eq!(revoked.key, other.key());
    assert!(home.greet(&liar).await.is_ok());
    assert!(denied(other.client().join(&ticket, "").await).contains("revoked"));
    // Part of a key is not a label either; what is shorter than that is.
    let part = label.get(..30).expect("keys are long");
    let nobody = home.peers(&admin).revoke(part).await;
    assert!(matches!(nobody, Err(CallError::Remote(e)) if e.code == Code::NotFound));
    let named = unknown_client();
    named
        .client()
        .join(&ticket, "database")
        .await
        .expect("joins");
    let revoked = home.peers(&admin).revoke("Database").await;
    assert_eq!(revoked.expect("revoked").key, named.key());
}

/// Those who joined a node that this one has joined never met it.
#[tokio::test]
async fn delegated_members_look_and_call_are_listed_and_can_be_revoked() {
    let upstream = home();
    let node = Home::start(&identity());
    let ticket = upstream
        .ticket(Role::Member, TicketOptions::default())
        .await;
    let client = node.endpoint.client();
    client.join(&ticket, "node").await.expect("joins");
    let other = unknown_client();
    other.client().join(&ticket, "other").await.expect("joins");
    let mirroring = admission::mirror_members(
        node.endpoint.members().clone(),
        AdmissionClient::new(client, upstream.peer),
        Some(node.naming.clone()),
        Role::Read,
    );
    tokio::spawn(mirroring);
    while node.endpoint.members().role(&other.key()).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(node.greet(&other).await.is_ok());
    let wanted = RegisterRequest::new("theirs", uri("x", node.peer.addr));
    let said = denied(node.names(&other).register(&wanted).await);
    let fingerprint = other.key().fingerprint();
    let expected = format!("requires the role member; {fingerprint} has the role read");
    assert!(said.contains(&expected), "{said}");
    // An admin of this node sees where they come from.
    let admin = node.joined(Role::Admin).await;
    let listed = node.peers(&admin).list().await.expect("listed");
    let entry = |key| listed.iter().find(|status| status.member.key == key);
    let delegated = entry(other.key()).expect("listed");
    assert_eq!(delegated.via, Some(upstream.peer.key));
    assert_eq!(delegated.member.label, "other");
    assert_eq!(delegated.member.role, Role::Read);
    let itself = entry(upstream.peer.key).expect("listed");
    assert_eq!(
        (itself.member.role, itself.via),
        (Role::Read, Some(upstream.peer.key))
    );
    assert_eq!(entry(admin.key()).expect("listed").via, None);
    // Revoked here, it is a member there all the same.
    let revoked = node.peers(&admin).revoke("other").await.expect("revoked");
    assert_eq!(revoked.key, other.key());
    other.client().disconnected(node.peer).await;
    not_connected(node.greet(&other).await);
    assert!(upstream.greet(&other).await.is_ok());
    let listed = node.peers(&admin).list().await.expect("listed");
    assert!(listed.iter().all(|status| status.member.key != other.key()));
}

/// A server accepts the members of the naming server that it has joined, and disconnects those that it
/// removes.
#[tokio::test]
async fn one_revocation_reaches_every_server_of_the_system() {
    let home = home();
    let object_server = Home::start(&identity());
    let joined = home.ticket(Role::Member, TicketOptions::default()).await;
    let client = object_server.endpoint.client();
    client.join(&joined, "b").await.expect("joins");
    let following = admission::mirror_members(
        object_server.endpoint.members().clone(),
        AdmissionClient::new(client, home.peer),
        Some(object_server.naming.clone()),
        Role::Member,
    );
    tokio::spawn(following);
    let member = home.joined(Role::Admin).await;
    let role = |of: &Endpoint| object_server.endpoint.members().role(&of.key());
    while role(&member).is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(
        role(&member),
        Some(Role::Member),
        "an admin there is none here"
    );
    assert!(object_server.greet(&member).await.is_ok());
    home.endpoint
        .members()
        .revoke(member.key())
        .await
        .expect("stored");
    member.client().disconnected(object_server.peer).await;
    not_connected(object_server.greet(&member).await);
}
