//! Slots for peers that have proved nothing yet: handshakes in progress, and unknown keys that ask to
//! join. Their number is limited for each network and in all. A new peer never waits: at a limit the oldest
//! slot is given to it, and an honest peer needs its slot only for a moment.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// The part of an address that one peer cannot choose at will: an IPv4 address, or the first 64 bits of an
/// IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::net) struct NetworkPrefix(IpAddr);

impl From<IpAddr> for NetworkPrefix {
    fn from(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            IpAddr::V6(v6) => {
                let prefix = v6.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(prefix).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// The limits of a set of slots.
#[derive(Debug, Clone, Copy)]
pub(in crate::net) struct PendingLimits {
    /// Limit of slots in all.
    pub(in crate::net) total: usize,
    /// Limit of slots of one network.
    pub(in crate::net) per_network: usize,
}

/// A set of slots. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::net) struct PendingSlots(Arc<SlotsState>);

#[derive(Debug)]
struct SlotsState {
    limits: PendingLimits,
    table: Mutex<SlotTable>,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct SlotTable {
    last: u64,
    /// The taken slots, the oldest first.
    by_age: BTreeMap<u64, (NetworkPrefix, CancellationToken)>,
    by_network: HashMap<NetworkPrefix, BTreeSet<u64>>,
}

impl SlotTable {
    fn remove(&mut self, id: u64) -> Option<CancellationToken> {
        let (network, token) = self.by_age.remove(&id)?;
        if let Some(ids) = self.by_network.get_mut(&network) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_network.remove(&network);
            }
        }
        Some(token)
    }

    /// Returns the slot that a new peer from this network takes over, if there is no free one.
    fn oldest_over_limit(&self, network: NetworkPrefix, limits: PendingLimits) -> Option<u64> {
        let own = self.by_network.get(&network);
        match own.filter(|ids| ids.len() >= limits.per_network) {
            Some(ids) => ids.first().copied(),
            None if self.by_age.len() >= limits.total => self.by_age.keys().next().copied(),
            None => None,
        }
    }
}

/// A taken slot, free again when it is dropped.
#[derive(Debug)]
pub(in crate::net) struct PendingSlot {
    slots: PendingSlots,
    id: u64,
    evicted: CancellationToken,
}

impl PendingSlots {
    /// Creates a set of free slots.
    pub(in crate::net) fn new(limits: PendingLimits) -> Self {
        Self(Arc::new(SlotsState {
            limits,
            table: Mutex::default(),
            evicted: AtomicU64::new(0),
        }))
    }

    fn table(&self) -> MutexGuard<'_, SlotTable> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot for a peer at this address, at a limit that of the oldest.
    pub(in crate::net) fn acquire(&self, addr: IpAddr) -> PendingSlot {
        let network = NetworkPrefix::from(addr);
        let mut table = self.table();
        if let Some(oldest) = table.oldest_over_limit(network, self.0.limits)
            && let Some(evicted) = table.remove(oldest)
        {
            evicted.cancel();
            self.0.evicted.fetch_add(1, Ordering::Relaxed);
        }
        table.last += 1;
        let (id, evicted) = (table.last, CancellationToken::new());
        table.by_age.insert(id, (network, evicted.clone()));
        table.by_network.entry(network).or_default().insert(id);
        PendingSlot {
            slots: self.clone(),
            id,
            evicted,
        }
    }

    /// Returns the number of taken slots.
    pub(in crate::net) fn taken(&self) -> usize {
        self.table().by_age.len()
    }

    /// Returns the number of slots that were given to new peers since the start.
    pub(in crate::net) fn evicted(&self) -> u64 {
        self.0.evicted.load(Ordering::Relaxed)
    }
}

impl PendingSlot {
    /// Completes when the slot is given to a new peer.
    pub(in crate::net) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for PendingSlot {
    fn drop(&mut self) {
        self.slots.table().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(total: usize, per_network: usize) -> PendingSlots {
        PendingSlots::new(PendingLimits { total, per_network })
    }

    fn host(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn a_new_peer_takes_the_oldest_slot_of_its_own_network() {
        let slots = slots(10, 2);
        let other = slots.acquire(host(1));
        let (first, second) = (slots.acquire(host(2)), slots.acquire(host(2)));
        let third = slots.acquire(host(2));
        let is_evicted = |slot: &PendingSlot| slot.evicted.is_cancelled();
        assert!(is_evicted(&first));
        assert!(!is_evicted(&second) && !is_evicted(&third) && !is_evicted(&other));
        assert_eq!((slots.taken(), slots.evicted()), (3, 1));
    }

    #[test]
    fn the_oldest_slot_of_all_is_taken_when_none_is_free() {
        let slots = slots(3, 2);
        let held: Vec<PendingSlot> = (0..4).map(|n| slots.acquire(host(n))).collect();
        let evicted: Vec<bool> = held.iter().map(|s| s.evicted.is_cancelled()).collect();
        assert_eq!(evicted, [true, false, false, false]);
        assert_eq!(slots.taken(), 3);
    }

    #[test]
    fn a_dropped_slot_is_free_again() {
        let slots = slots(1, 1);
        for _ in 0..3 {
            drop(slots.acquire(host(1)));
        }
        assert_eq!((slots.taken(), slots.evicted()), (0, 0));
        assert!(slots.table().by_network.is_empty());
    }

    #[test]
    fn ipv6_addresses_of_one_64_bit_network_share_its_slots() {
        let network = |text: &str| NetworkPrefix::from(text.parse::<IpAddr>().expect("valid"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
