//! Journeys through a whole instance: real channels and sockets, neighbours that are played.

mod arrivals;
mod neighbourhood;
mod texts;

use neighbourhood::{Neighbourhood, Scanner};
