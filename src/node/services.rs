//! The objects and tasks that a node offers, and the names that they are registered under.

use std::{net::SocketAddr, sync::Arc};

use serde::de::DeserializeOwned;

use crate::{
    net::{
        naming::RegisterRequest,
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
    /// No other node may register the name.
    exclusive: bool,
}

impl ServiceOffer {
    /// Offers an object under its own name.
    pub(super) fn new(name: &str, tags: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            object: name.to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
            exclusive: false,
        }
    }

    /// Refuses to share the name with other nodes.
    pub(super) const fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Returns the offer for a naming server where other nodes register theirs: an exclusive name becomes
    /// the node's own by its key.
    pub(super) fn at_upstream(&self, own: PublicKey) -> Self {
        let mut offer = self.clone();
        if offer.exclusive {
            offer.name = format!("{}.{}", offer.name, own.fingerprint());
        }
        offer
    }

    /// Returns the request that registers the object at an address of this process.
    pub(super) fn request(&self, addr: SocketAddr) -> RegisterRequest {
        let uri = Uri::distro(self.object.clone(), addr);
        let mut request = RegisterRequest::new(self.name.as_str(), uri);
        request.tags.clone_from(&self.tags);
        request.exclusive = self.exclusive;
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
    fn an_exclusive_name_is_the_nodes_own_where_others_register_theirs() {
        let key = PublicKey::from_bytes([3; 32]);
        let addr = SocketAddr::from(([127, 0, 0, 1], 4433));
        let shared = ServiceOffer::new("server", &["greeter"]).at_upstream(key);
        let request = shared.request(addr);
        assert_eq!(
            (&*request.name, request.uri, request.exclusive),
            ("server", Uri::distro("server", addr), false)
        );
        assert_eq!(request.tags, ["greeter"]);
        let own = ServiceOffer::new("broker", &[])
            .exclusive()
            .at_upstream(key);
        let request = own.request(addr);
        assert_eq!(request.name, format!("broker.{}", key.fingerprint()));
        assert_eq!(
            (request.uri, request.exclusive),
            (Uri::distro("broker", addr), true)
        );
    }
}
