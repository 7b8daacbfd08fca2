//! The program itself in a terminal: what a person sees, types and is left with.
//!
//! Nothing here sleeps. Every step waits for what must come, on a condition variable that each read
//! of the terminal signals, and fails with the screen as it was.

mod examples;
mod export;
mod first_run;
mod frames;
mod harness;
mod hostile;
mod mistakes;
mod restore;
mod screen_state;
mod starting;
mod two_screens;
