//! Reports of a node to its findings: the recovery of its tasks, and its upstreams.

use futures_util::{FutureExt, future::select_all};
use tokio::sync::watch;

use crate::{
    health::{FindingKind, Findings},
    net::{naming::LeaseStatus, rpc::error::CallError, trust::peer_addr::PeerAddr},
    queue::{id::TaskId, storage::Recovery},
    text::pluralize,
};

/// The most ids in a text.
const MAX_IDS: usize = 5;

/// Reports what the previous process crashed at. Lost tasks are reported by the store.
pub(super) fn report_recovery(findings: &Findings, recovery: &Recovery) {
    if !recovery.crashed.is_empty() {
        let (count, ids) = (
            pluralize(recovery.crashed.len(), "task"),
            first_ids(&recovery.crashed),
        );
        let text = format!("{count} crashed the process too often and failed: {ids}");
        findings.report(FindingKind::TasksCrashed, "", &text);
    }
    if !recovery.requeued.is_empty() {
        let (count, ids) = (
            pluralize(recovery.requeued.len(), "running task"),
            first_ids(&recovery.requeued),
        );
        tracing::warn!("the previous process was killed: {count} requeued: {ids}");
    }
    if recovery.waiting > 0 {
        tracing::info!(
            "{} recovered",
            pluralize(recovery.waiting, "unfinished task")
        );
    }
}

fn first_ids(ids: &[TaskId]) -> String {
    let first: Vec<_> = ids.iter().take(MAX_IDS).map(ToString::to_string).collect();
    let more = if ids.len() > MAX_IDS { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// Reports while an upstream refuses this node or cannot be reached, as the registrations there show it.
pub(super) async fn watch_upstream(
    findings: Findings,
    peer: PeerAddr,
    names: Vec<watch::Receiver<LeaseStatus>>,
) {
    watch_names(names, |statuses| report_upstream(&findings, peer, statuses)).await;
}

/// Reports while a service of this node is not registered with its own naming server.
pub(super) async fn watch_own_names(findings: Findings, names: Vec<watch::Receiver<LeaseStatus>>) {
    watch_names(names, |statuses| report_own_names(&findings, statuses)).await;
}

/// Calls `report` with the states of the registrations whenever one changes.
async fn watch_names(
    mut names: Vec<watch::Receiver<LeaseStatus>>,
    report: impl Fn(&[LeaseStatus]),
) {
    // A refused registration ends, and stays refused.
    let mut ended = Vec::new();
    while !names.is_empty() {
        let current = names
            .iter_mut()
            .map(|name| name.borrow_and_update().clone());
        let statuses: Vec<LeaseStatus> = current.chain(ended.iter().cloned()).collect();
        report(&statuses);
        let changed = names.iter_mut().map(|name| name.changed().boxed());
        let (result, at, others) = select_all(changed).await;
        drop(others);
        if result.is_err() {
            ended.push(names.remove(at).borrow().clone());
        }
    }
}

fn report_own_names(findings: &Findings, statuses: &[LeaseStatus]) {
    let kind = FindingKind::NotRegistered;
    let failing = statuses.iter().find_map(|status| match status {
        LeaseStatus::Refused(error) | LeaseStatus::Failing(error) | LeaseStatus::Taken(error) => {
            Some(error)
        }
        LeaseStatus::Pending | LeaseStatus::Held => None,
    });
    match failing {
        Some(error) => {
            let text = format!("a service of this node is not registered: {error}");
            findings.report(kind, "", &text);
        }
        None => findings.resolve(kind, ""),
    }
}

/// Removes the findings about a node that is no upstream any more.
pub(super) fn resolve_upstream(findings: &Findings, peer: PeerAddr) {
    for kind in [
        FindingKind::UpstreamRefused,
        FindingKind::UpstreamUnreachable,
    ] {
        findings.resolve(kind, &peer.key.fingerprint());
    }
}

fn report_upstream(findings: &Findings, peer: PeerAddr, statuses: &[LeaseStatus]) {
    let key = peer.key.fingerprint();
    let (mut refused, mut unreachable) = (None, None);
    for status in statuses {
        match status {
            LeaseStatus::Refused(error)
            | LeaseStatus::Failing(error @ CallError::Unauthorized(_)) => {
                refused.get_or_insert(error);
            }
            LeaseStatus::Failing(error) => {
                unreachable.get_or_insert(error);
            }
            // A name that the upstream does not share is no fault; the services have names of their own there.
            LeaseStatus::Pending | LeaseStatus::Held | LeaseStatus::Taken(_) => {}
        }
    }
    let refused = refused.map(|error| {
        format!(
            "the upstream {key} at {} refuses this node: {error}",
            peer.addr
        )
    });
    let unreachable = unreachable.map(|error| {
        format!(
            "the upstream {key} at {} cannot be reached: {error}",
            peer.addr
        )
    });
    for (kind, text) in [
        (FindingKind::UpstreamRefused, refused),
        (FindingKind::UpstreamUnreachable, unreachable),
    ] {
        match text {
            Some(text) => findings.report(kind, &key, &text),
            None => findings.resolve(kind, &key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::net::{
        rpc::error::{Code, RemoteError},
        trust::key::PublicKey,
    };

    fn kinds(findings: &Findings) -> Vec<FindingKind> {
        findings.list().iter().map(|found| found.kind).collect()
    }

    #[test]
    fn an_upstream_that_refuses_is_one_finding_until_it_accepts_or_is_left() {
        let findings = Findings::default();
        let peer = PeerAddr {
            addr: SocketAddr::from(([192, 0, 2, 1], 9090)),
            key: PublicKey::from_bytes([1; 32]),
        };
        let refusal = CallError::from(RemoteError::new(Code::Denied, "needs the role member"));
        let refused = LeaseStatus::Refused(refusal);
        let statuses = [LeaseStatus::Held, refused.clone(), refused];
        report_upstream(&findings, peer, &statuses);
        assert_eq!(kinds(&findings), [FindingKind::UpstreamRefused]);
        report_upstream(&findings, peer, &[LeaseStatus::Failing(CallError::Closed)]);
        assert_eq!(kinds(&findings), [FindingKind::UpstreamUnreachable]);
        report_upstream(&findings, peer, &[LeaseStatus::Held]);
        assert_eq!(kinds(&findings), []);
        report_upstream(&findings, peer, &statuses);
        resolve_upstream(&findings, peer);
        assert_eq!(kinds(&findings), []);
    }

    #[tokio::test]
    async fn a_service_that_is_not_registered_is_a_finding_until_it_is() {
        let findings = Findings::default();
        let (sender, status) = watch::channel(LeaseStatus::Pending);
        let held = watch::channel(LeaseStatus::Held).1;
        let watching = tokio::spawn(watch_own_names(findings.clone(), vec![held, status]));
        let becomes = async |status: LeaseStatus, kinds_now: &[FindingKind]| {
            sender.send(status).expect("watched");
            while kinds(&findings) != kinds_now {
                tokio::task::yield_now().await;
            }
        };
        let full = CallError::from(RemoteError::new(Code::Overloaded, "the disk is full"));
        becomes(LeaseStatus::Failing(full), &[FindingKind::NotRegistered]).await;
        becomes(LeaseStatus::Held, &[]).await;
        watching.abort();
    }

    #[test]
    fn tasks_that_crashed_the_previous_process_are_a_finding() {
        let findings = Findings::default();
        let id = TaskId::Sequence;
        report_recovery(&findings, &Recovery::default());
        assert_eq!(findings.list(), []);
        let recovery = Recovery {
            crashed: (1..=7).map(id).collect(),
            ..Recovery::default()
        };
        report_recovery(&findings, &recovery);
        let texts: Vec<_> = findings
            .list()
            .into_iter()
            .map(|found| found.text)
            .collect();
        assert_eq!(
            texts,
            ["7 tasks crashed the process too often and failed: #1, #2, #3, #4, #5, …",]
        );
    }
}
