//! Actions without resource types that are nevertheless matched against an ARN.
//!
//! A request for one of them is made on `*`; AWS compares the statements with an ARN that the
//! service implies. Sources: the S3 user guide and 19 AWS managed policies for
//! `s3:ListAllMyBuckets`; the texts of IAM's denials for its lists. Because this happens where a
//! request is parsed, decisions, explanations and simulations agree by construction.

use keywright_base::AccountId;

use crate::pattern::PatternOutline;

/// Each action in lower case, with the ARN for everything that it lists.
const IMPLIED: [(&str, &str); 7] = [
    ("s3:listallmybuckets", "arn:aws:s3:::*"),
    ("iam:listgroups", "arn:aws:iam::${Account}:group/"),
    (
        "iam:listinstanceprofiles",
        "arn:aws:iam::${Account}:instance-profile/",
    ),
    ("iam:listroles", "arn:aws:iam::${Account}:role/"),
    (
        "iam:listservercertificates",
        "arn:aws:iam::${Account}:server-certificate/",
    ),
    ("iam:listusers", "arn:aws:iam::${Account}:user/"),
    ("iam:listvirtualmfadevices", "arn:aws:iam::${Account}:mfa/"),
];

/// The implied ARN of a request on `*`, written into `room`; `None` if the resource stays `*`. The
/// action is in lower case.
pub(crate) fn implied_arn<'a>(
    action: &str,
    account: Option<AccountId>,
    room: &'a mut String,
) -> Option<&'a str> {
    let (_, arn) = IMPLIED.iter().find(|(listed, _)| *listed == action)?;
    let Some((before, after)) = arn.split_once("${Account}") else {
        return Some(arn);
    };
    *room = format!("{before}{}{after}", account?);
    Some(room)
}

/// What requests for an action (in lower case) may be matched against. A path that limits a list is
/// part of its ARN.
pub(crate) fn implied_outline(action: &str) -> Option<PatternOutline> {
    let (_, arn) = IMPLIED.iter().find(|(listed, _)| *listed == action)?;
    Some(if arn.ends_with('/') {
        PatternOutline::of_template(&format!("{arn}${{Path}}"))
    } else {
        PatternOutline::of_text(arn)
    })
}
