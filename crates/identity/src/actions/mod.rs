//! The actions, one file per noun, and the tables that route to them.

mod extension;
mod iam;
mod organizations;
mod sts;

#[cfg(test)]
mod consistency;
#[cfg(test)]
mod implied;
#[cfg(test)]
mod recorded;
#[cfg(any(test, feature = "samples"))]
mod sweeps;

use std::sync::Arc;

use keywright_wire::{Form, Operation, Service, operation, operations};

#[cfg(test)]
pub(crate) use self::iam::{CreateUser, TagUser};
#[cfg(any(test, feature = "samples"))]
pub use self::sweeps::{sample_name, sampled, samples};
use crate::{
    action::{ActionCall, ActionEntry, Answer, UnsignedCall, UnsignedEntry, handle},
    fault::IamFault,
    service::Identity,
};

/// Every action that this server serves.
pub fn actions() -> impl Iterator<Item = &'static ActionEntry> {
    let tables = [
        iam::ACTIONS,
        sts::ACTIONS,
        organizations::ACTIONS,
        extension::ACTIONS,
    ];
    tables.into_iter().flatten()
}

/// An operation that this server serves.
#[derive(Debug, Clone, Copy)]
pub enum ServedOperation {
    /// One that its caller needs permission for.
    Action(&'static ActionEntry),
    /// One that needs no signature and has no caller.
    Unsigned(&'static Operation),
}

impl ServedOperation {
    /// How an operation is served, if it is.
    pub fn of(operation: &'static Operation) -> Option<Self> {
        let unsigned = || find_unsigned(operation).map(|row| Self::Unsigned(row.operation));
        find(operation).map(Self::Action).or_else(unsigned)
    }
}

/// The operations in the models that this server recognizes but does not implement.
pub fn not_served() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|it| ServedOperation::of(it).is_none())
}

fn find_unsigned(operation: &Operation) -> Option<&'static UnsignedEntry> {
    let mut rows = sts::UNSIGNED.iter();
    rows.find(|row| std::ptr::eq(row.operation, operation))
}

/// The action that serves an operation.
fn find(operation: &Operation) -> Option<&'static ActionEntry> {
    let table = match operation.service {
        Service::Iam => iam::ACTIONS,
        Service::Sts => sts::ACTIONS,
        Service::Organizations => organizations::ACTIONS,
        Service::Keywright => extension::ACTIONS,
    };
    let mut rows = table.iter();
    rows.find(|row| std::ptr::eq(row.operation, operation))
}

impl Identity {
    /// The operation that a form names.
    ///
    /// # Errors
    /// [`IamFault::MissingAction`], [`IamFault::InvalidAction`], [`IamFault::NotServed`].
    pub fn served(service: Service, form: &Form) -> Result<ServedOperation, IamFault> {
        let action = form.action().ok_or(IamFault::MissingAction)?;
        let version = form.version().unwrap_or_default();
        let Some(operation) = operation(service, version, action) else {
            let (action, version) = (action.to_owned(), version.to_owned());
            return Err(IamFault::InvalidAction { action, version });
        };
        ServedOperation::of(operation).ok_or(IamFault::NotServed(operation.name))
    }

    /// Handles a request of a verified caller.
    ///
    /// # Errors
    /// [`IamFault`]; render it with [`IamFault::wire`].
    pub async fn call(
        self: &Arc<Self>,
        operation: ServedOperation,
        call: ActionCall<'_>,
    ) -> Result<Answer, IamFault> {
        match operation {
            ServedOperation::Action(action) => handle(self, action, call).await,
            ServedOperation::Unsigned(operation) => {
                // A signature changes nothing.
                let xml = self.call_unsigned(operation, call.into()).await?;
                Ok(Answer {
                    xml,
                    changed: false,
                })
            }
        }
    }

    /// Handles a request for an operation that the models mark as unsigned.
    ///
    /// # Errors
    /// [`IamFault`].
    pub async fn call_unsigned(
        &self,
        operation: &'static Operation,
        call: UnsignedCall<'_>,
    ) -> Result<String, IamFault> {
        let served = find_unsigned(operation).ok_or(IamFault::NotServed(operation.name))?;
        (served.handle)(self, call).await
    }
}
