//! The objects and tasks that a node offers, and the names that they are registered under.

use std::{net::SocketAddr, sync::Arc};

use serde::de::DeserializeOwned;

use crate::{
    net::{
        naming::{RegisterRequest, ShareRule},
        rpc::object::{Object, Objects},
        trust::key::PublicKey,
        uri::Uri,
    },
    queue::{
        context::Context,
        registry::{Registry, TaskError},
    },
};

/// A name under which an object of this process is to be registered, before its address is known.
#[derive(Debug, Clone)]
pub(super) struct ServiceOffer {
    /// The name to register under.
    pub(super) name: String,
    /// The name that the object is exposed under.
    object: String,
    tags: Vec<String>,
    /// The rule for others that register the name; `None` keeps the rule that was set.
    share: Option<ShareRule>,
}

impl ServiceOffer {
    /// Offers an object under its own name.
    pub(super) fn new(name: &str, tags: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            object: name.to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
            share: None,
        }
    }

    /// Refuses to share the name with other nodes.
    pub(super) const fn exclusive(mut self) -> Self {
        self.share = Some(ShareRule::Owner);
        self
    }

    /// Returns the offers for a naming server where other nodes register theirs: a name of the node's own, with
    /// its key, and the name itself, in case its owner there shares it.
    pub(super) fn at_upstream(&self, own: PublicKey) -> Vec<Self> {
        let mut named = self.clone();
        named.name = format!("{}.{}", self.name, own.fingerprint());
        named.share = Some(ShareRule::Owner);
        match self.share {
            Some(ShareRule::Owner) => vec![named],
            _ => vec![self.clone(), named],
        }
    }

    /// Returns the request that registers the object at an address of this process.
    pub(super) fn request(&self, addr: SocketAddr) -> RegisterRequest {
        let uri = Uri::distro(self.object.clone(), addr);
        let mut request = RegisterRequest::new(self.name.as_str(), uri);
        request.tags.clone_from(&self.tags);
        request.share = self.share;
        request
    }
}

/// Objects and tasks of your own, which a node offers beside the greeter and the additions.
#[derive(Default)]
pub struct Services {
    objects: Vec<(ServiceOffer, Arc<dyn Object>)>,
    pub(super) tasks: Registry,
}

impl Services {
    /// Creates an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves an object and registers it under a name, with tags.
    #[must_use]
    pub fn object(mut self, name: &str, tags: &[&str], object: impl Object + 'static) -> Self {
        let offer = ServiceOffer::new(name, tags);
        self.objects.push((offer, Arc::new(object)));
        self
    }

    /// Makes a function available to the workers; see [`Registry::register`].
    #[must_use]
    pub fn task<A, F, R>(mut self, name: &str, function: F) -> Self
    where
        A: DeserializeOwned,
        F: Fn(A, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, TaskError>> + Send + 'static,
    {
        self.tasks.register(name, function);
        self
    }

    /// Adds an object whose name no other node may register.
    pub(super) fn exclusive(mut self, name: &str, tags: &[&str], object: Arc<dyn Object>) -> Self {
        let offer = ServiceOffer::new(name, tags).exclusive();
        self.objects.push((offer, object));
        self
    }

    /// Exposes every object and returns the names to register.
    pub(super) fn expose(self, objects: &Objects) -> Vec<ServiceOffer> {
        let offers = self.objects.into_iter().map(|(offer, object)| {
            objects.expose(&offer.object, object);
            offer
        });
        offers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_name_of_its_own_where_other_nodes_register_theirs() {
        let key = PublicKey::from_bytes([3; 32]);
        let addr = SocketAddr::from(([127, 0, 0, 1], 4433));
        let requests = |offer: ServiceOffer| -> Vec<(String, Uri, Option<ShareRule>)> {
            let offers = offer.at_upstream(key).into_iter();
            let requests = offers.map(|offer| offer.request(addr));
            requests.map(|r| (r.name, r.uri, r.share)).collect()
        };
        let uri = Uri::distro("server", addr);
        let own = format!("server.{}", key.fingerprint());
        assert_eq!(
            requests(ServiceOffer::new("server", &["greeter"])),
            [
                ("server".to_owned(), uri.clone(), None),
                (own, uri, Some(ShareRule::Owner))
            ]
        );
        let own = format!("broker.{}", key.fingerprint());
        let uri = Uri::distro("broker", addr);
        assert_eq!(
            requests(ServiceOffer::new("broker", &[]).exclusive()),
            [(own, uri, Some(ShareRule::Owner))]
        );
    }
}
