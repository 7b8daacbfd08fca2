//! Parsers of setting values. Each error says what would be right.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use clap::ValueEnum;

use crate::{node::Component, suggest::did_you_mean};

/// Parses one of a set of words.
pub(super) fn parse_word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_unknown| {
        let words = T::value_variants().iter();
        let words = words.filter_map(ValueEnum::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        unknown(text, &words.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

pub(super) fn one_of(text: &str, words: &[&str]) -> Result<String, String> {
    match words.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(unknown(text, words)),
    }
}

fn unknown(text: &str, words: &[&str]) -> String {
    let near = did_you_mean(text, words.iter().copied());
    format!("`{text}` is not one of {}{near}", words.join(", "))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_neither| format!("`{text}` is neither true nor false"))
}

pub(super) fn number(text: &str, max: usize) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(n) if (1..=max).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to {max}")),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("a path is missing".to_owned()),
        text => Ok(PathBuf::from(text)),
    }
}

pub(super) fn addr(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_other| format!("`{text}` is not an address and a port, such as 127.0.0.1:4433"))
}

pub(super) fn addrs(text: &str) -> Result<Vec<SocketAddr>, String> {
    text.split(',').map(|one| addr(one.trim())).collect()
}

/// Parses components separated by commas, or `none`.
pub(super) fn components(text: &str) -> Result<BTreeSet<Component>, String> {
    match text {
        "none" => Ok(BTreeSet::new()),
        text => text.split(',').map(|one| parse_word(one.trim())).collect(),
    }
}

/// Parses an address, a port or `off`. A port alone is on loopback.
pub(super) fn metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Some(SocketAddr::from(([127, 0, 0, 1], port))));
    }
    text.parse().map(Some).map_err(|_other| {
        format!(
            "`{text}` is neither off nor a port nor an address and a port, such as 127.0.0.1:9464"
        )
    })
}
