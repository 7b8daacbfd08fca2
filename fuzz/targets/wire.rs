//! Any bytes from a peer: no panic, no allocation above the cap, and decoded frames encode to the same
//! bytes.
#![no_main]

use distro_tui::net::rpc::{
    join::JoinRequest,
    wire::{Call, Hello, Reply, decode, encode},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(call) = decode::<Call>(bytes) {
        let frame = encode(&call).expect("it came out of a frame");
        let again: Call = decode(&frame[4..]).expect("it was just written");
        // Compared as Debug text, because NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{call:?}"));
    }
    if let Ok(reply) = decode::<Reply>(bytes) {
        encode(&reply).ok();
    }
    decode::<Hello>(bytes).ok();
    decode::<JoinRequest>(bytes).ok();
});
