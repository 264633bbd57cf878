//! The actions, one file per noun, and the tables that route to them.

mod extension;
mod iam;
mod sts;

#[cfg(test)]
mod implied;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod sweeps;

use std::sync::Arc;

use keywright_wire::{Operation, Service, operation, operations};

#[cfg(test)]
pub(crate) use self::{iam::TagUser, sweeps::samples};
use crate::{
    action::{ActionCall, ActionEntry, Answer, UnsignedCall, UnsignedEntry},
    fault::IamFault,
    service::Identity,
};

/// Every action that this server serves.
pub fn actions() -> impl Iterator<Item = &'static ActionEntry> {
    let tables = [iam::ACTIONS, sts::ACTIONS, extension::ACTIONS];
    tables.into_iter().flatten()
}

/// The operations in the models that this server recognizes but does not implement.
pub fn not_served() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|it| find(it).is_none() && find_unsigned(it).is_none())
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
        Service::Keywright => extension::ACTIONS,
    };
    let mut rows = table.iter();
    rows.find(|row| std::ptr::eq(row.operation, operation))
}

impl Identity {
    /// Handles a request.
    ///
    /// # Errors
    /// [`IamFault`]; render it with [`IamFault::wire`].
    pub async fn call(
        self: &Arc<Self>,
        service: Service,
        call: ActionCall<'_>,
    ) -> Result<Answer, IamFault> {
        let action = call.form.action().ok_or(IamFault::MissingAction)?;
        let version = call.form.version().unwrap_or_default();
        let Some(operation) = operation(service, version, action) else {
            let (action, version) = (action.to_owned(), version.to_owned());
            return Err(IamFault::InvalidAction { action, version });
        };
        if operation.unsigned {
            // A signature changes nothing.
            let xml = self.call_unsigned(operation, call.into()).await?;
            return Ok(Answer {
                xml,
                changed: false,
            });
        }
        let served = find(operation).ok_or(IamFault::NotServed(operation.name))?;
        (served.handle)(self, call).await
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
