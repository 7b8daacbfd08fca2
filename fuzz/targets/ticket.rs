//! Any text: parsing does not panic, and a parsed ticket prints as the same ticket.
#![no_main]

use distro_tui::net::trust::ticket::Ticket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
});
