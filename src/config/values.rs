//! Parsers of setting values. Each error says what is expected.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::ValueEnum;

use crate::{cause::Cause, net::trust::role::Role, node::Component, suggest::did_you_mean, units};

type Parsed<T> = Result<T, Cause>;

/// Parses `auto`, or what `parse` does.
pub(super) fn auto<T>(text: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Parsed<Option<T>> {
    match text {
        "auto" => Ok(None),
        text => parse(text).map(Some),
    }
}

/// Parses the word of a value.
pub(super) fn parse_word<T: ValueEnum>(text: &str) -> Parsed<T> {
    T::from_str(text, false).map_err(|_unknown| {
        let words = T::value_variants().iter();
        let words = words.filter_map(ValueEnum::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        unknown(text, &words.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

pub(super) fn one_of(text: &str, words: &[&'static str]) -> Parsed<&'static str> {
    let found = words.iter().find(|word| **word == text);
    found.copied().ok_or_else(|| unknown(text, words))
}

fn unknown(text: &str, words: &[&str]) -> Cause {
    let near = did_you_mean(text, words.iter().copied());
    Cause::from_message(format!("`{text}` is not one of {}{near}", words.join(", ")))
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    text.parse()
        .map_err(|error| Cause::described(format!("`{text}` is neither true nor false"), error))
}

pub(super) fn number(text: &str, max: usize) -> Parsed<usize> {
    let expected = || format!("`{text}` is not a number from 1 to {max}");
    match text.replace('_', "").parse() {
        Ok(n) if (1..=max).contains(&n) => Ok(n),
        Ok(_) => Err(Cause::from_message(expected())),
        Err(error) => Err(Cause::described(expected(), error)),
    }
}

/// Parses a duration with a unit.
pub(super) fn duration(text: &str) -> Parsed<Duration> {
    with_unit(text, ["h", "d"])?;
    units::duration(text)
}

/// Parses a time limit, which is longer than zero.
pub(super) fn time_limit(text: &str) -> Parsed<Duration> {
    match duration(text)? {
        Duration::ZERO => Err(Cause::from_message(format!(
            "`{text}` leaves no time; a time limit is longer than zero, such as 2h"
        ))),
        time => Ok(time),
    }
}

/// Parses a size of at least `min` bytes, with a unit.
pub(super) fn size(text: &str, min: u64) -> Parsed<u64> {
    with_unit(text, ["MiB", "GiB"])?;
    match units::bytes(text)? {
        bytes if bytes < min => Err(Cause::from_message(format!(
            "`{text}` is too small; the minimum is {}",
            units::fmt_bytes(min)
        ))),
        bytes => Ok(bytes),
    }
}

/// A file is read by others than its author, who should not have to know the unit of a bare number.
fn with_unit(text: &str, [one, other]: [&str; 2]) -> Parsed<()> {
    let digits = text.trim();
    match digits.parse::<f64>() {
        Ok(_) => Err(Cause::from_message(format!(
            "`{text}` has no unit; write for example {digits}{one} or {digits}{other}"
        ))),
        Err(_number_with_unit) => Ok(()),
    }
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    match text {
        "" => Err(Cause::from_message("a path is missing")),
        text => Ok(PathBuf::from(text)),
    }
}

pub(super) fn addr(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|error| {
        let expected = "is not an address and a port, such as 127.0.0.1:4433";
        Cause::described(format!("`{text}` {expected}"), error)
    })
}

/// Parses addresses that others can dial, separated by commas.
pub(super) fn dialable(text: &str) -> Parsed<Vec<SocketAddr>> {
    let one = |text: &str| match addr(text.trim())? {
        addr if addr.ip().is_unspecified() || addr.port() == 0 => {
            Err(Cause::from_message(format!(
                "`{addr}` cannot be dialed; write an address of this machine and the port that it \
                 listens on"
            )))
        }
        addr => Ok(addr),
    };
    text.split(',').map(one).collect()
}

/// Parses a role that members of upstreams can have.
pub(super) fn upstream_role(text: &str) -> Parsed<Role> {
    let role = text.parse().ok().filter(|role| *role <= Role::Member);
    role.ok_or_else(|| unknown(text, &[Role::Read.as_str(), Role::Member.as_str()]))
}

/// Parses components separated by commas, or `none`.
pub(super) fn components(text: &str) -> Parsed<BTreeSet<Component>> {
    match text {
        "none" => Ok(BTreeSet::new()),
        text => text.split(',').map(|one| parse_word(one.trim())).collect(),
    }
}

/// Parses an address, a port or `off`. A port alone is on loopback.
pub(super) fn metrics(text: &str) -> Parsed<Option<SocketAddr>> {
    if text == "off" {
        return Ok(None);
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    }
    text.parse().map(Some).map_err(|error| {
        let expected =
            "is neither off nor a port nor an address and a port, such as 127.0.0.1:9464";
        Cause::described(format!("`{text}` {expected}"), error)
    })
}
