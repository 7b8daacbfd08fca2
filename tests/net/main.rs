//! Names and calls from outside the crate: on loopback sockets, and on a simulated network whose
//! clock jumps from timer to timer.

mod calls;
mod faults;
mod load;
mod lossy;
mod names_limits;
mod names_persist;
mod overload;
mod raw_client;
mod sim;
mod support;
mod trust;
