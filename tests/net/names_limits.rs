//! Bounded work: whatever the naming server is asked, other calls get their turn meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use distro_tui::{
    net::{
        naming::{MAX_TAGS, NameQuery, NamingLimits, NamingServer, RegisterRequest},
        rpc::{
            error::{Code, RemoteError},
            object::{Caller, Invocation, Object, Response},
        },
        trust::{key::PublicKey, role::Role},
    },
    value::Value,
};
use tokio_util::task::AbortOnDropHandle;

fn caller(n: u8, role: Role) -> Caller {
    Caller {
        principal: PublicKey::from_bytes([n; 32]).into(),
        role,
    }
}

/// A naming server with this many names of one owner, each with as many tags as it may have.
fn filled(names: usize) -> NamingServer {
    let naming = NamingServer::new(NamingLimits::default());
    let uri: distro_tui::net::uri::Uri = "distro:x@127.0.0.1:1".parse().expect("a URI");
    for n in 0..names {
        let mut request = RegisterRequest::new(format!("name-{n:06}"), uri.clone());
        request.tags = (0..MAX_TAGS).map(|tag| format!("tag-{tag}")).collect();
        let owner = caller(1, Role::Member);
        naming.register(&owner, request).expect("room");
    }
    naming
}

async fn list(naming: &NamingServer, query: &NameQuery) -> Result<Value, RemoteError> {
    let invocation = Invocation {
        caller: caller(2, Role::Read),
        method: "list".to_owned(),
        args: vec![Value::from_typed(query).expect("a value")],
        kwargs: vec![],
    };
    match naming.object().call(invocation).await? {
        Response::One(page) => Ok(page.to_value().expect("a value")),
        Response::Stream(_) => panic!("a page"),
    }
}

/// Counts the turns that another task gets on this thread while it lives.
fn count_turns() -> (Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    let turns = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&turns);
    let task = tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    (turns, AbortOnDropHandle::new(task))
}

#[tokio::test]
async fn a_list_of_tags_over_the_limit_is_refused() {
    let naming = filled(10);
    let too_many: Vec<String> = (0..=MAX_TAGS).map(|tag| tag.to_string()).collect();
    for query in [
        NameQuery {
            tags_all: too_many.clone(),
            ..NameQuery::default()
        },
        NameQuery {
            tags_any: too_many,
            ..NameQuery::default()
        },
        NameQuery {
            prefix: Some("x".repeat(257)),
            ..NameQuery::default()
        },
        NameQuery {
            regex: Some("x".repeat(1_025)),
            ..NameQuery::default()
        },
    ] {
        let refused = list(&naming, &query).await.expect_err("over a limit");
        assert_eq!(refused.code, Code::BadArguments, "{refused}");
        assert!(refused.message.contains("limit"), "{refused}");
    }
    let most = NameQuery {
        tags_all: (0..MAX_TAGS).map(|tag| format!("tag-{tag}")).collect(),
        ..NameQuery::default()
    };
    let page: distro_tui::net::naming::NamePage = list(&naming, &most)
        .await
        .expect("at the limit")
        .to_typed()
        .expect("a page");
    assert_eq!(page.records.len(), 10);
}

#[tokio::test]
async fn a_slow_search_leaves_the_thread_to_others_meanwhile() {
    let naming = filled(5_000);
    // A pattern that backtracking engines never finish, and this one slowly.
    let slow = NameQuery {
        regex: Some("(.?){60}x{60}$".into()),
        ..NameQuery::default()
    };
    let (turns, _counting) = count_turns();
    let page = list(&naming, &slow).await.expect("listed");
    assert!(turns.load(Ordering::Relaxed) > 2, "{turns:?}");
    let page: distro_tui::net::naming::NamePage = page.to_typed().expect("a page");
    assert!(page.records.is_empty());
}

#[tokio::test]
async fn the_eviction_of_many_names_leaves_the_thread_to_others_meanwhile() {
    let naming = filled(20_000);
    let (turns, _counting) = count_turns();
    let evicted = naming.evict(caller(1, Role::Member).principal).await;
    assert_eq!(evicted.expect("nothing to store"), 20_000);
    assert!(turns.load(Ordering::Relaxed) > 2, "{turns:?}");
    assert_eq!(naming.count(), 0);
}
