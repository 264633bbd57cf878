//! Trust in identity providers: which of a provider's tokens a trust policy accepts.
//!
//! A token's audience says which program it is for, not who has it: of a public issuer, anyone can
//! get one. So an Allow must require something of the subject or of another claim.

use super::{LintFinding, LintSubject, Severity};
use crate::{
    ConditionClause, DocumentKind, PrincipalType, Statement,
    condition::{ConditionOperator, SetPrefix},
};

const OIDC_PROVIDER: &str = ":oidc-provider/";

/// Claims that do not say who has a token.
const IMPERSONAL: [&str; 3] = ["aud", "oaud", "amr"];

/// The claims that every token has.
const ALWAYS_PRESENT: [&str; 2] = ["sub", "aud"];

/// Prefixes of condition keys that are not those of an OpenID Connect provider.
const OTHER_KEYS: [&str; 5] = ["aws", "sts", "iam", "saml", "s3"];

/// The identity providers that a statement of a trust policy names.
fn federated<'a>(subject: &LintSubject<'a>) -> Vec<&'a str> {
    let principal = subject.statement.principal.as_ref();
    let elements = principal.filter(|_| subject.kind == DocumentKind::Trust);
    let elements = elements.into_iter().flat_map(|clause| &clause.elements);
    let federated = elements.filter(|(kind, _)| *kind == PrincipalType::Federated);
    federated.map(|(_, value)| value.as_str()).collect()
}

/// An OpenID Connect provider, as far as its condition keys matter.
struct TokenProvider<'a> {
    /// What the keys begin with.
    prefix: &'a str,
    /// Whether it is built into AWS. Then the audience is an app of the account's own, and AWS's
    /// guides test nothing else.
    built_in: bool,
}

impl<'a> TokenProvider<'a> {
    /// `None` for a SAML provider: its assertions say themselves which roles somebody may assume.
    fn of(principal: &'a str) -> Option<Self> {
        match principal.split_once(OIDC_PROVIDER) {
            Some((_, prefix)) => Some(Self {
                prefix,
                built_in: false,
            }),
            None => (!principal.starts_with("arn:")).then_some(Self {
                prefix: principal,
                built_in: true,
            }),
        }
    }

    /// Whether a condition requires something that says who has the token.
    fn is_restricted(&self, statement: &Statement) -> bool {
        let mut clauses = statement.conditions.iter();
        clauses.any(|clause| {
            let claim = claim_of(&clause.key, self.prefix);
            claim.is_some_and(|claim| {
                let claim = claim.to_ascii_lowercase();
                (self.built_in || !IMPERSONAL.contains(&&*claim)) && requires(clause, &claim)
            })
        })
    }
}

/// An Allow that accepts every token of a provider, or those of every subject.
pub(super) fn check(subject: &LintSubject<'_>) -> Option<LintFinding> {
    let statement = subject.statement;
    let providers = federated(subject);
    let finding = || subject.finding((Severity::Risk, "any-token"), ("Principal", None));
    if !providers.is_empty() && statement.conditions.is_empty() {
        return Some(finding().with_message(
            "accepts every token of the identity provider",
            "add conditions on the provider's aud and sub keys",
        ));
    }
    let providers = providers.into_iter().filter_map(TokenProvider::of);
    let mut open = providers.filter(|provider| !provider.is_restricted(statement));
    let prefix = open.next()?.prefix;
    Some(finding().with_message(
        format!("accepts tokens of every subject of {prefix}"),
        format!(
            "require the subject with StringEquals or StringLike on {prefix}:sub; StringNotLike, \
             IfExists and a condition on aud alone leave it open"
        ),
    ))
}

/// The claim that a key of this provider is about.
fn claim_of<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let (own, rest) = key.split_at_checked(prefix.len())?;
    // A claim whose name has a colon is no key: it would be one of a provider at a port.
    let claim = rest.strip_prefix(':').filter(|it| !it.contains(':'))?;
    own.eq_ignore_ascii_case(prefix).then_some(claim)
}

/// Whether a condition requires one of some values of a claim.
fn requires(clause: &ConditionClause, claim: &str) -> bool {
    let Some(operator) = ConditionOperator::parse(&clause.operator) else {
        return false;
    };
    // `ForAllValues` holds for tokens without the claim.
    let is_needed = operator.set != SetPrefix::All || ALWAYS_PRESENT.contains(&claim);
    let is_positive = !(operator.negated || operator.if_exists || operator.is_null());
    let mut values = clause.values.iter();
    is_positive && is_needed && values.all(|value| value.contains(|c| c != '*' && c != '?'))
}

/// Conditions on keys that no token of the statement's providers has.
pub(super) fn foreign_keys(subject: &LintSubject<'_>) -> Vec<LintFinding> {
    let providers = federated(subject).into_iter();
    let prefixes = providers.filter_map(|it| Some(TokenProvider::of(it)?.prefix));
    let prefixes: Vec<_> = prefixes.collect();
    if prefixes.is_empty() {
        return Vec::new();
    }
    let clauses = subject.statement.conditions.iter();
    let foreign = clauses.filter(|clause| is_foreign(&clause.key, &prefixes));
    let findings = foreign.map(|clause| {
        let at = format!("Condition\n{}\n{}", clause.operator, clause.key);
        let finding = subject.finding((Severity::Warning, "foreign-claim"), (&at, None));
        finding.with_message(
            format!(
                "{} is not a key of the statement's identity provider",
                clause.key
            ),
            format!(
                "keys of the provider begin with {}:",
                prefixes.join(": or ")
            ),
        )
    });
    findings.collect()
}

/// Whether a key is of another provider.
fn is_foreign(key: &str, prefixes: &[&str]) -> bool {
    let service = key.split([':', '/']).next().unwrap_or_default();
    let is_other = OTHER_KEYS
        .iter()
        .any(|other| service.eq_ignore_ascii_case(other));
    !is_other
        && !prefixes
            .iter()
            .any(|prefix| claim_of(key, prefix).is_some())
}
