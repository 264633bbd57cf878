//! The actions, one file per noun, and the table they are routed by.

mod users;

use crate::action::{Served, served};

/// Every action that this server serves, in the order of the files.
pub static ACTIONS: &[Served] = &[
    served::<users::CreateUser>(),
    served::<users::GetUser>(),
    served::<users::ListUsers>(),
    served::<users::UpdateUser>(),
    served::<users::DeleteUser>(),
];
