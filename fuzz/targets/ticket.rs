//! Whatever is pasted: no panic, and what is taken for a ticket is the same ticket when it is written.
#![no_main]

use distro_tui::net::ticket::Ticket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
});
