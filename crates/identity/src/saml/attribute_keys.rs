//! Which condition keys have the values of which attributes: AWS's tables, under "Mapping SAML
//! attributes to AWS trust policy context keys" of its guide.
//!
//! The table of X.500 attributes has object identifiers without `urn:oid:`, three of them with a
//! digit or dot in the wrong place. Here each has its key in AWS's spelling, in the right one, and
//! as a URN, which is how providers write it.

/// The condition keys of an attribute, in lower case and without `saml:`.
pub(super) fn keys_of(attribute: &str) -> &'static [&'static str] {
    match attribute.strip_prefix("urn:oid:") {
        Some("2.5.4.3") => &["cn"],
        Some(oid) => education_key(oid).unwrap_or_else(|| directory_key(oid)),
        None => match claim_key(attribute) {
            [] => directory_key(attribute),
            keys => keys,
        },
    }
}

/// Whether AWS publishes a key with several values.
pub(super) fn is_list(key: &str) -> bool {
    let of_education = key.starts_with("eduperson") || key.starts_with("eduorg");
    let is_single = matches!(
        key,
        "edupersonorgdn"
            | "edupersonprimaryaffiliation"
            | "edupersonprincipalname"
            | "edupersonprimaryorgunitdn"
    );
    key == "cn" || (of_education && !is_single)
}

/// Attributes of eduPerson and eduOrg.
fn education_key(oid: &str) -> Option<&'static [&'static str]> {
    Some(match oid.strip_prefix("1.3.6.1.4.1.5923.1.")? {
        "1.1.1" => &["edupersonaffiliation"],
        "1.1.2" => &["edupersonnickname"],
        "1.1.3" => &["edupersonorgdn"],
        "1.1.4" => &["edupersonorgunitdn"],
        "1.1.5" => &["edupersonprimaryaffiliation"],
        "1.1.6" => &["edupersonprincipalname"],
        "1.1.7" => &["edupersonentitlement"],
        "1.1.8" => &["edupersonprimaryorgunitdn"],
        "1.1.9" => &["edupersonscopedaffiliation"],
        "1.1.10" => &["edupersontargetedid"],
        "1.1.11" => &["edupersonassurance"],
        "2.1.2" => &["eduorghomepageuri"],
        "2.1.3" => &["eduorgidentityauthnpolicyuri"],
        "2.1.4" => &["eduorglegalname"],
        "2.1.5" => &["eduorgsuperioruri"],
        "2.1.6" => &["eduorgwhitepagesuri"],
        _ => return None,
    })
}

/// Attributes of Active Directory.
fn claim_key(name: &str) -> &'static [&'static str] {
    match name {
        "http://schemas.xmlsoap.org/claims/CommonName" => &["commonname"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name" => &["name"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname" => &["givenname"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname" => &["surname"],
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress" => &["mail"],
        // The table says `uid`; the list of keys has one with the attribute's own name.
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid" => {
            &["uid", "primarygroupsid"]
        }
        _ => &[],
    }
}

/// Attributes of X.500.
fn directory_key(oid: &str) -> &'static [&'static str] {
    match oid {
        "2.5.4.3" => &["commonname"],
        "2.5.4.4" => &["surname"],
        "2.5.4.42" | "2.4.5.42" => &["givenname"],
        "2.5.4.45" => &["x500uniqueidentifier"],
        "0.9.2342.19200300.100.1.1" | "0.9.2342.19200300100.1.1" => &["uid"],
        "0.9.2342.19200300.100.1.3" | "0.9.2342.19200300100.1.3" => &["mail"],
        "0.9.2342.19200300.100.1.45" => &["organizationstatus"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
