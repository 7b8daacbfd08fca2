use super::{super::json::MemberListJson, *};

const NOW: Seconds = 1_000_000;

fn key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

fn join(members: &mut MemberList, ticket: TicketRecord, who: u8) -> Result<Role, String> {
    members
        .join(NOW, ticket.serial, ticket.role, key(who), "web1")
        .map_err(|error| error.to_string())
}

#[test]
fn a_standing_ticket_is_the_same_until_it_is_invalidated() {
    let mut members = MemberList::default();
    let issue = |members: &mut MemberList| {
        members
            .issue_ticket(NOW, Role::Member, false, None)
            .expect("room")
    };
    let first = issue(&mut members);
    assert_eq!(first, issue(&mut members));
    assert_eq!(join(&mut members, first, 1), Ok(Role::Member));
    assert_eq!(join(&mut members, first, 2), Ok(Role::Member));
    assert_eq!(members.invalidate_tickets(Some(Role::Read)), 0);
    assert_eq!(members.invalidate_tickets(Some(Role::Member)), 1);
    assert_ne!(first, issue(&mut members));
    let why = join(&mut members, first, 3).expect_err("invalidated");
    assert!(why.contains("withdrawn"), "{why}");
    assert!(members.get(&key(1)).is_some(), "members stay");
}

#[test]
fn a_single_use_ticket_is_used_once_and_an_expired_one_never() {
    let mut members = MemberList::default();
    let once = members
        .issue_ticket(NOW, Role::Admin, true, None)
        .expect("room");
    assert_eq!(join(&mut members, once, 1), Ok(Role::Admin));
    assert!(
        join(&mut members, once, 2)
            .expect_err("used")
            .contains("used")
    );
    let brief = members
        .issue_ticket(NOW, Role::Read, false, Some(60))
        .expect("room");
    let at = |members: &mut MemberList, now, who| {
        members.join(now, brief.serial, Role::Read, key(who), "")
    };
    assert!(at(&mut members, NOW + 59, 3).is_ok());
    assert!(at(&mut members, NOW + 60, 3).is_ok(), "who is in is in");
    let late = at(&mut members, NOW + 60, 5).expect_err("over");
    assert!(late.to_string().contains("expired"), "{late}");
    let other = members.join(NOW, brief.serial, Role::Admin, key(4), "");
    assert!(other.is_err(), "it is not good for another role");
}

#[test]
fn a_revoked_key_comes_back_only_with_a_newer_ticket() {
    let mut members = MemberList::default();
    let old = members
        .issue_ticket(NOW, Role::Member, false, None)
        .expect("room");
    join(&mut members, old, 1).expect("joins");
    assert!(members.revoke(NOW, key(1)));
    assert!(!members.revoke(NOW, key(9)), "nobody by that key");
    assert!(
        join(&mut members, old, 1)
            .expect_err("out")
            .contains("revoked")
    );
    assert!(join(&mut members, old, 2).is_ok(), "others may");
    members.invalidate_tickets(None);
    let new = members
        .issue_ticket(NOW, Role::Member, false, None)
        .expect("room");
    assert_eq!(join(&mut members, new, 1), Ok(Role::Member));
    assert!(!members.is_revoked(&key(1)));
}

#[test]
fn joining_again_never_takes_a_role_away() {
    let mut members = MemberList::default();
    let admin = members
        .issue_ticket(NOW, Role::Admin, true, None)
        .expect("room");
    let read = members
        .issue_ticket(NOW, Role::Read, false, None)
        .expect("room");
    join(&mut members, admin, 1).expect("joins");
    assert_eq!(join(&mut members, read, 1), Ok(Role::Admin));
}

#[test]
fn tickets_have_a_bound_and_labels_are_names() {
    let mut members = MemberList::default();
    for _ in 0..MAX_TICKETS {
        members
            .issue_ticket(NOW, Role::Read, true, None)
            .expect("room");
    }
    assert!(members.issue_ticket(NOW, Role::Read, true, None).is_err());
    assert_eq!(members.invalidate_tickets(None), MAX_TICKETS);
    assert_eq!(sanitize_label(" a\u{1b}[2J\n"), "a[2J");
    assert!(sanitize_label(&"é".repeat(99)).len() <= MAX_LABEL);
}

#[test]
fn a_stored_list_is_restored() {
    let mut members = MemberList::default();
    let ticket = members
        .issue_ticket(NOW, Role::Member, false, None)
        .expect("room");
    join(&mut members, ticket, 1).expect("joins");
    members.revoke(NOW, key(2));
    members
        .issue_ticket(NOW, Role::Admin, true, Some(9))
        .expect("room");
    members.invalidate_tickets(Some(Role::Member));
    let text = serde_json::to_string(&MemberListJson::from(&members)).expect("text");
    let json: MemberListJson = serde_json::from_str(&text).expect("reads");
    let mut restored = MemberList::try_from(json).expect("valid");
    // The joins of the last minute are not stored.
    restored.minute = members.minute;
    assert_eq!(restored, members);
}

#[test]
fn a_ticket_admits_a_hundred_keys_and_a_minute_some_more() {
    let mut members = MemberList::default();
    members.set_limits(JoinLimits {
        per_ticket: 3,
        per_minute: 4,
    });
    let issue = |members: &mut MemberList| {
        let issued = members.issue_ticket(NOW, Role::Member, false, None);
        issued.expect("room")
    };
    let first = issue(&mut members);
    for who in 1..=3 {
        join(&mut members, first, who).expect("joins");
    }
    assert!(join(&mut members, first, 1).is_ok(), "who is in is in");
    let why = join(&mut members, first, 4).expect_err("over the quota");
    assert!(why.contains("admitted 3 keys"), "{why}");
    // The standing ticket is one that admits somebody.
    let second = issue(&mut members);
    assert_ne!(first.serial, second.serial);
    join(&mut members, second, 4).expect("joins");
    let why = join(&mut members, second, 5).expect_err("over the rate");
    assert!(why.contains("4 keys have joined within a minute"), "{why}");
    let later = members.join(NOW + MINUTE, second.serial, Role::Member, key(5), "");
    assert!(later.is_ok());
}

#[test]
fn an_expired_ticket_stays_expired_when_the_clock_is_set_back() {
    let mut members = MemberList::default();
    let brief = members.issue_ticket(NOW, Role::Read, false, Some(60));
    let brief = brief.expect("room");
    let mut waited = members.clone();
    waited.advance(NOW + 60);
    let why = join(&mut waited, brief, 1).expect_err("over");
    assert!(why.contains("expired"), "{why}");
    assert!(!waited.is_same_as(&members), "it is stored");
    // Also after a restart.
    let text = serde_json::to_string(&MemberListJson::from(&waited)).expect("text");
    let json: MemberListJson = serde_json::from_str(&text).expect("reads");
    let mut restored = MemberList::try_from(json).expect("valid");
    let why = join(&mut restored, brief, 1).expect_err("over");
    assert!(why.contains("expired"), "{why}");
    assert_eq!(restored.advance(0), NOW + 60);
}

#[test]
fn a_label_that_could_be_a_key_is_removed() {
    let whole = key(7).to_string();
    for label in [
        &whole,
        &whole.to_uppercase(),
        whole.split_at(24).0,
        &format!(" {whole}"),
    ] {
        assert_eq!(sanitize_label(label), "", "{label}");
    }
    for label in ["database", "web1", "ip-10-0-0-1-eu-central-compute"] {
        assert_eq!(sanitize_label(label), label);
    }
}
