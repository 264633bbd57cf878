//! The keys of attributes, as AWS's guide lists them.

use super::{is_list, keys_of};

#[test]
fn attributes_have_the_keys_of_the_guide() {
    let claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
    for (attribute, expected) in [
        (format!("{claims}/name"), &["name"][..]),
        (format!("{claims}/givenname"), &["givenname"]),
        (format!("{claims}/surname"), &["surname"]),
        (format!("{claims}/emailaddress"), &["mail"]),
        (format!("{claims}/upn"), &[]),
        (
            "http://schemas.xmlsoap.org/claims/CommonName".to_owned(),
            &["commonname"],
        ),
        (
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid".to_owned(),
            &["uid", "primarygroupsid"],
        ),
        // The guide's X.500 attributes, as it spells them.
        ("2.5.4.3".to_owned(), &["commonname"]),
        ("2.5.4.4".to_owned(), &["surname"]),
        ("2.4.5.42".to_owned(), &["givenname"]),
        ("2.5.4.45".to_owned(), &["x500uniqueidentifier"]),
        ("0.9.2342.19200300100.1.1".to_owned(), &["uid"]),
        ("0.9.2342.19200300100.1.3".to_owned(), &["mail"]),
        (
            "0.9.2342.19200300.100.1.45".to_owned(),
            &["organizationstatus"],
        ),
        // As providers spell them.
        ("urn:oid:2.5.4.3".to_owned(), &["cn"]),
        ("urn:oid:2.5.4.4".to_owned(), &["surname"]),
        ("urn:oid:2.5.4.42".to_owned(), &["givenname"]),
        ("2.5.4.42".to_owned(), &["givenname"]),
        ("urn:oid:0.9.2342.19200300.100.1.1".to_owned(), &["uid"]),
        ("urn:oid:0.9.2342.19200300.100.1.3".to_owned(), &["mail"]),
        (
            "urn:oid:1.3.6.1.4.1.5923.1.1.1.7".to_owned(),
            &["edupersonentitlement"],
        ),
        (
            "urn:oid:1.3.6.1.4.1.5923.1.2.1.2".to_owned(),
            &["eduorghomepageuri"],
        ),
        ("1.3.6.1.4.1.5923.1.1.1.7".to_owned(), &[]),
        ("urn:oid:1.3.6.1.4.1.5923.1.1.1.12".to_owned(), &[]),
        ("mail".to_owned(), &[]),
        (String::new(), &[]),
    ] {
        assert_eq!(keys_of(&attribute), expected, "{attribute}");
    }
}

#[test]
fn lists_are_those_of_the_guide() {
    for (keys, expected) in [
        (
            &[
                "edupersonaffiliation",
                "edupersonnickname",
                "edupersonorgunitdn",
                "edupersonentitlement",
                "edupersonscopedaffiliation",
                "edupersontargetedid",
                "edupersonassurance",
                "eduorghomepageuri",
                "eduorgidentityauthnpolicyuri",
                "eduorglegalname",
                "eduorgsuperioruri",
                "eduorgwhitepagesuri",
                "cn",
            ][..],
            true,
        ),
        (
            &[
                "edupersonorgdn",
                "edupersonprimaryaffiliation",
                "edupersonprincipalname",
                "edupersonprimaryorgunitdn",
                "name",
                "commonname",
                "givenname",
                "surname",
                "mail",
                "uid",
                "x500uniqueidentifier",
                "organizationstatus",
                "primarygroupsid",
            ],
            false,
        ),
    ] {
        for key in keys {
            assert_eq!(is_list(key), expected, "{key}");
        }
    }
}
