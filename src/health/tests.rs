use std::collections::BTreeSet;

use super::{
    list::{MAX_PER_KIND, MAX_TEXT},
    *,
};

const MINUTE: u64 = 60_000_000;

#[test]
fn a_kind_has_a_name_of_its_own_and_a_next_step() {
    let names: BTreeSet<_> = FindingKind::ALL.map(FindingKind::as_str).into();
    assert_eq!(names.len(), FindingKind::ALL.len());
    for kind in FindingKind::ALL {
        assert!(!kind.next_step().is_empty(), "{kind:?}");
        let json = serde_json::to_string(&kind).expect("serializes");
        assert_eq!(
            json,
            format!("\"{}\"", kind.as_str()),
            "one name everywhere"
        );
    }
}

#[test]
fn a_condition_is_listed_until_it_is_resolved() {
    let findings = Findings::default();
    let kind = FindingKind::UpstreamRefused;
    findings.report(kind, "k1", "k1 refuses this node");
    findings.report(kind, "k1", "k1 refuses this node");
    findings.report(FindingKind::NetworkDelayed, "k2", "calls were delayed");
    let listed = findings.list();
    let [first, second] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!((first.kind, first.count), (kind, 2), "errors come first");
    assert_eq!(second.kind, FindingKind::NetworkDelayed);
    findings.resolve(kind, "k2");
    assert_eq!(
        findings.list().len(),
        2,
        "another subject is another finding"
    );
    findings.resolve(kind, "k1");
    assert_eq!(findings.list().len(), 1);
}

#[test]
fn a_loss_is_listed_after_restarts_until_it_is_acknowledged() {
    let home = tempfile::tempdir().expect("a folder");
    let findings = Findings::open(home.path());
    findings.report(FindingKind::TasksLost, "", "7 tasks are lost");
    findings.report(FindingKind::TasksNotPersisted, "", "no space");
    for _restart in 0..2 {
        let listed = Findings::open(home.path()).list();
        assert_eq!(listed.len(), 1, "a condition ends with its process");
        assert_eq!(listed[0].text, "7 tasks are lost");
    }
    assert_eq!(stored(home.path()).len(), 1, "also without a node");
    assert_eq!(findings.acknowledge().expect("stored"), 1);
    assert_eq!(findings.list().len(), 1, "the condition still holds");
    assert_eq!(Findings::open(home.path()).list(), []);
}

#[test]
fn the_reason_of_a_failed_start_is_kept_until_the_next_start() {
    let home = tempfile::tempdir().expect("a folder");
    let findings = Findings::open(home.path());
    findings.report(FindingKind::StartFailed, "", "members.json is no JSON");
    drop(findings);
    assert_eq!(stored(home.path())[0].text, "members.json is no JSON");
    assert_eq!(Findings::open(home.path()).list(), []);
    assert_eq!(stored(home.path()), []);
}

#[test]
fn an_event_is_listed_for_an_hour_after_its_last_report() {
    let mut list = FindingList::default();
    let kind = FindingKind::ConnectionsRefused;
    list.report(kind, "", "3 refused", 0);
    list.report(kind, "", "5 refused", 30 * MINUTE);
    assert_eq!(list.current(89 * MINUTE).len(), 1);
    assert_eq!(list.current(90 * MINUTE).len(), 0);
}

#[test]
fn the_list_and_its_texts_are_bounded() {
    let mut list = FindingList::default();
    for n in 0..100_u64 {
        let text = "é".repeat(10_000);
        list.report(FindingKind::NetworkDelayed, &n.to_string(), &text, n);
        list.report(FindingKind::TasksLost, "", "lost", n);
    }
    let listed = list.current(100);
    assert_eq!(listed.len(), MAX_PER_KIND + 1);
    assert!(
        listed
            .iter()
            .all(|found| found.text.chars().count() <= MAX_TEXT)
    );
    assert_eq!(listed[0].kind, FindingKind::TasksLost, "another kind stays");
    assert_eq!(listed[MAX_PER_KIND].subject, "99", "the newest stays");
}

#[test]
fn a_finding_that_changes_all_the_time_is_logged_once_a_minute() {
    let mut list = FindingList::default();
    let logged = (0..600_u64).filter(|second| {
        let text = format!("{second} refused");
        let now = second * 1_000_000;
        list.report(FindingKind::ConnectionsRefused, "", &text, now)
            .log
    });
    assert_eq!(logged.count(), 10);
}
