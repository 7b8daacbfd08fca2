pub mod identity;
pub mod key;
pub mod members;
pub mod ticket;
