//! Log lines about refused clients. Clients without a key must not be able to fill the log: in each window the first
//! refusals are logged, and the others are summed up by address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use super::ServerState;
use crate::{
    health::{FindingKind, Findings},
    net::quic::slots::NetworkPrefix,
    text::{fmt_count, pluralize},
};

/// The time after which refusals are summed up.
const WINDOW: Duration = Duration::from_secs(60);
/// The most refusals in a window that are logged one by one, each of another network.
const MAX_LOGGED: usize = 8;
/// The most networks in a window whose refusals are counted apart.
const MAX_NETWORKS: usize = 256;
/// The most addresses in a summary.
const MAX_NAMED: usize = 5;
/// The refusals in a window from which on they are a finding.
const FINDING_FROM: u64 = 100;

/// The refused clients of a server.
#[derive(Debug, Default)]
pub(in crate::net::rpc) struct Refusals {
    counts: Mutex<RefusalCounts>,
    /// The list that gets a finding for many refusals.
    pub(in crate::net::rpc) findings: OnceLock<Findings>,
}

/// The refusals of a window.
#[derive(Debug, Default)]
struct RefusalCounts {
    /// An address of each network, with the refusals that were not logged.
    networks: HashMap<NetworkPrefix, (IpAddr, u64)>,
    /// Refusals of further networks.
    others: u64,
}

/// The actions that a refusal needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Recorded {
    /// It is to be logged.
    log: bool,
    /// It is the first of a window.
    begins: bool,
}

impl RefusalCounts {
    fn record(&mut self, from: IpAddr) -> Recorded {
        let begins = self.networks.is_empty();
        let known = self.networks.len();
        match self.networks.get_mut(&NetworkPrefix::from(from)) {
            Some((_, count)) => *count += 1,
            None if known < MAX_NETWORKS => {
                let log = known < MAX_LOGGED;
                let counted = (from, u64::from(!log));
                self.networks.insert(from.into(), counted);
                return Recorded { log, begins };
            }
            None => self.others += 1,
        }
        Recorded { log: false, begins }
    }

    /// Returns the number of refusals that were not logged, with a sentence about them.
    fn summary(&self) -> (u64, String) {
        let mut networks: Vec<(IpAddr, u64)> = self.networks.values().copied().collect();
        networks.retain(|(_, count)| *count > 0);
        networks.sort_unstable_by_key(|(addr, count)| (std::cmp::Reverse(*count), *addr));
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let total = networks.iter().map(|(_, count)| count).sum::<u64>() + self.others;
        let named = networks.iter().take(MAX_NAMED);
        let mut parts: Vec<String> = named
            .map(|(addr, n)| format!("{} from {addr}", fmt_count(count(*n))))
            .collect();
        let rest = networks.iter().skip(MAX_NAMED).map(|(_, count)| count);
        let rest = rest.sum::<u64>() + self.others;
        if rest > 0 {
            parts.push(format!("{} from other addresses", fmt_count(count(rest))));
        }
        let clients = pluralize(count(total), "more client");
        (
            total,
            format!("{clients} refused within a minute: {}", parts.join(", ")),
        )
    }
}

impl Refusals {
    fn counts(&self) -> MutexGuard<'_, RefusalCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs and reports the refusals of a window that were not logged, and begins another one.
    fn sum_up(&self) {
        let counts = std::mem::take(&mut *self.counts());
        let (total, text) = counts.summary();
        if total == 0 {
            return;
        }
        tracing::warn!("{text}");
        if total >= FINDING_FROM
            && let Some(findings) = self.findings.get()
        {
            findings.report(FindingKind::ConnectionsRefused, "", &text);
        }
    }
}

impl ServerState {
    /// Records a refused client. Returns true if it is to be logged.
    pub(super) fn record_refusal(self: &Arc<Self>, from: IpAddr) -> bool {
        let recorded = self.refusals.counts().record(from);
        if recorded.begins {
            let shared = Arc::clone(self);
            self.tasks.spawn(async move {
                let window = tokio::time::sleep(WINDOW);
                shared.stopping.run_until_cancelled(window).await;
                shared.refusals.sum_up();
            });
        }
        recorded.log
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    #[test]
    fn a_flood_of_one_address_is_one_line_and_a_sum() {
        let mut counts = RefusalCounts::default();
        let logged = (0..10_000).filter(|_n| counts.record(v4(1)).log).count();
        assert_eq!(logged, 1);
        let (total, text) = counts.summary();
        assert_eq!(total, 9_999);
        assert_eq!(
            text,
            "9,999 more clients refused within a minute: 9,999 from 10.0.0.1"
        );
    }

    #[test]
    fn a_flood_of_many_addresses_is_a_few_lines_and_a_bounded_sum() {
        let mut counts = RefusalCounts::default();
        let logged = (0..100_000).filter(|n| counts.record(v4(*n)).log).count();
        assert_eq!(logged, MAX_LOGGED);
        assert_eq!(counts.networks.len(), MAX_NETWORKS);
        let (total, text) = counts.summary();
        assert_eq!(total, 100_000 - MAX_LOGGED as u64);
        assert!(text.len() < 300, "{text}");
        assert!(text.ends_with("from other addresses"), "{text}");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let mut counts = RefusalCounts::default();
        let base = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0));
        let of_network = (0..1_000_u128).map(|n| IpAddr::from(Ipv6Addr::from(base + n)));
        let logged = of_network.filter(|addr| counts.record(*addr).log).count();
        assert_eq!(logged, 1);
    }

    #[test]
    fn a_window_begins_once_and_few_refusals_are_no_finding() {
        let refusals = Refusals::default();
        let findings = Findings::default();
        refusals.findings.set(findings.clone()).expect("once");
        assert!(refusals.counts().record(v4(1)).begins);
        assert!(!refusals.counts().record(v4(2)).begins);
        refusals.sum_up();
        assert_eq!(findings.list(), []);
        for _n in 0..=FINDING_FROM {
            refusals.counts().record(v4(1));
        }
        refusals.sum_up();
        assert_eq!(findings.list()[0].kind, FindingKind::ConnectionsRefused);
        assert!(refusals.counts().record(v4(1)).begins, "another window");
    }
}
