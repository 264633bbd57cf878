//! Rotations in the simulated world: thousands of seeds, and each row of the failure matrix.

mod destinations;
mod incident;
mod matrix;
mod missing;
mod person;
mod planner;
mod seeds;
