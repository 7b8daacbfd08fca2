//! Processes against processes: nodes that join each other, are killed, frozen and restarted, and the
//! commands that drive them.

mod commands;
mod health;
mod joined;
#[cfg(target_os = "linux")]
mod lossy;
mod names_kill;
mod parts;
mod private_files;
mod process;
mod readme;
mod retention;
mod selection;
mod streams;
