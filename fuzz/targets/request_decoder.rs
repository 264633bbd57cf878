//! The body of an awsQuery request: no bytes may panic the decoder, and what decodes must not
//! depend on the order of the parameters.
#![no_main]

use keywright_wire::{Decode, Form, iam, keywright, sts};
use libfuzzer_sys::fuzz_target;

fn read<T: Decode>(form: &Form) {
    let _ = T::decode(form);
}

/// Inputs with every kind of shape: scalars, lists, lists of structures, maps, secrets, dates.
const READERS: &[fn(&Form)] = &[
    read::<iam::CreateUserInput>,
    read::<iam::UntagUserInput>,
    read::<iam::CreatePolicyInput>,
    read::<iam::PutUserPolicyInput>,
    read::<iam::UpdateAccessKeyInput>,
    read::<iam::ListUsersInput>,
    read::<iam::UpdateAccountPasswordPolicyInput>,
    read::<iam::CreateLoginProfileInput>,
    read::<iam::CreateOpenIDConnectProviderInput>,
    read::<iam::SimulateCustomPolicyInput>,
    read::<sts::AssumeRoleInput>,
    read::<sts::GetSessionTokenInput>,
    read::<keywright::ListAccessKeyAttemptsInput>,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, body)) = bytes.split_first() else {
        return;
    };
    let Ok(form) = Form::parse(body) else {
        return;
    };
    READERS[usize::from(*which) % READERS.len()](&form);
    let mut pairs: Vec<&[u8]> = body.split(|byte| *byte == b'&').collect();
    pairs.reverse();
    let reversed = Form::parse(&pairs.join(&b'&'));
    assert_eq!(
        reversed.as_ref(),
        Ok(&form),
        "the order of parameters shows"
    );
});
