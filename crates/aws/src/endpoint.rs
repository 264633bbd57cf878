//! Where AWS's services are, and in which region they are signed for.
//!
//! It protects one rule: the addresses are those that AWS's own clients use, for every partition,
//! with FIPS and dual-stack. The table of the tests is botocore's answer (1.43, November 2026).

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceEndpoint {
    /// Scheme and authority, without a slash at the end.
    pub(crate) url: String,
    /// The region of the signature.
    pub(crate) region: &'static str,
}

/// How AWS calls a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceName {
    /// In host names and credential scopes.
    pub(crate) host: &'static str,
    /// In `AWS_ENDPOINT_URL_…` and `services` sections, before it is folded.
    pub id: &'static str,
}

/// IAM; Keywright's own service is at the same address.
pub(crate) const IAM: ServiceName = name("iam", "IAM");
/// STS.
pub(crate) const STS: ServiceName = name("sts", "STS");
/// Systems Manager's Parameter Store.
pub const SSM: ServiceName = name("ssm", "SSM");
/// Secrets Manager.
pub const SECRETS_MANAGER: ServiceName = name("secretsmanager", "Secrets Manager");
/// KMS.
pub const KMS: ServiceName = name("kms", "KMS");
/// SNS.
pub const SNS: ServiceName = name("sns", "SNS");
/// `CloudTrail`.
pub(crate) const CLOUDTRAIL: ServiceName = name("cloudtrail", "CloudTrail");

const fn name(host: &'static str, id: &'static str) -> ServiceName {
    ServiceName { host, id }
}

/// Which of the endpoints of a service are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EndpointVariant {
    /// Those with validated cryptography.
    pub(crate) fips: bool,
    /// Those that answer by IPv6 as well.
    pub(crate) dual_stack: bool,
}

/// AWS's own endpoint of a service as it is reached from a region.
pub(crate) fn of_aws(
    service: ServiceName,
    region: &'static str,
    variant: EndpointVariant,
) -> ServiceEndpoint {
    let partition = AwsPartition::of(region);
    if service == IAM {
        return ServiceEndpoint {
            url: format!("https://{}", partition.iam(variant)),
            region: partition.home,
        };
    }
    // Secrets Manager has no dual-stack addresses of its own but in the European partition.
    let plain = service == SECRETS_MANAGER && partition.name != "eusc";
    let dual_stack = variant.dual_stack && !plain;
    // In GovCloud most plain addresses are validated, and have no name of their own.
    let plain = partition.name == "gov" && service != SECRETS_MANAGER && !dual_stack;
    let fips = if variant.fips && !plain { "-fips" } else { "" };
    let suffix = partition.suffix(dual_stack);
    ServiceEndpoint {
        url: format!("https://{}{fips}.{region}.{suffix}", service.host),
        region,
    }
}

/// A second STS, far from the first: a new key must be known to both.
pub(crate) fn second_sts(region: &'static str, variant: EndpointVariant) -> ServiceEndpoint {
    let other = match (AwsPartition::of(region).home, region) {
        ("us-east-1", "us-east-1") => "us-west-2",
        ("cn-north-1", "cn-north-1") => "cn-northwest-1",
        ("us-gov-west-1", "us-gov-west-1") => "us-gov-east-1",
        (home, _) => home,
    };
    of_aws(STS, other, variant)
}

/// The region that IAM is signed for, and whose trail has what it does.
pub(crate) fn home(region: &str) -> &'static str {
    AwsPartition::of(region).home
}

/// The code of a region of any partition.
pub(crate) fn known(code: &str) -> Option<&'static str> {
    const OTHERS: [&str; 5] = [
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-east-1",
        "us-gov-west-1",
        "eusc-de-east-1",
    ];
    let of_aws = keywright_base::region(code).map(|region| region.code);
    of_aws.or_else(|| OTHERS.into_iter().find(|other| *other == code))
}

/// A part of AWS that has accounts and addresses of its own.
struct AwsPartition {
    name: &'static str,
    plain: &'static str,
    dual_stack: &'static str,
    /// The region that its IAM is signed for.
    home: &'static str,
}

impl AwsPartition {
    fn of(region: &str) -> Self {
        let (name, plain, dual_stack, home) = if region.starts_with("cn-") {
            let dual_stack = "api.amazonwebservices.com.cn";
            ("cn", "amazonaws.com.cn", dual_stack, "cn-north-1")
        } else if region.starts_with("us-gov-") {
            ("gov", "amazonaws.com", "api.aws", "us-gov-west-1")
        } else if region.starts_with("eusc-") {
            let dual_stack = "api.amazonwebservices.eu";
            ("eusc", "amazonaws.eu", dual_stack, "eusc-de-east-1")
        } else {
            ("aws", "amazonaws.com", "api.aws", "us-east-1")
        };
        Self {
            name,
            plain,
            dual_stack,
            home,
        }
    }

    const fn suffix(&self, dual_stack: bool) -> &'static str {
        if dual_stack {
            self.dual_stack
        } else {
            self.plain
        }
    }

    /// The host of IAM, which a partition has once.
    fn iam(&self, variant: EndpointVariant) -> String {
        let suffix = self.suffix(variant.dual_stack);
        let fips = if variant.fips { "-fips" } else { "" };
        match (self.name, variant.dual_stack) {
            ("gov", _) => format!("iam.us-gov.{suffix}"),
            ("aws", false) => format!("iam{fips}.{suffix}"),
            ("aws" | "cn", true) => format!("iam{fips}.global.{suffix}"),
            ("eusc", true) => format!("iam{fips}.{suffix}"),
            _ if variant.fips => format!("iam{fips}.{suffix}"),
            _ => format!("iam.{}.{suffix}", self.home),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        CLOUDTRAIL, EndpointVariant, IAM, SECRETS_MANAGER, SNS, SSM, STS, ServiceEndpoint, of_aws,
        second_sts,
    };

    fn display(endpoint: &ServiceEndpoint) -> String {
        format!(
            "{} {}",
            endpoint.url.replace("https://", ""),
            endpoint.region
        )
    }

    /// Service, region; plain, FIPS, dual-stack, both: host and region of the signature.
    #[test]
    fn endpoints_are_those_of_botocore() {
        let rows = include_str!("endpoints_of_botocore.txt");
        let services = [IAM, STS, SSM, SECRETS_MANAGER, CLOUDTRAIL, SNS];
        let mut checked = 0;
        for row in rows.lines().filter(|row| !row.starts_with('#')) {
            let mut words = row.split(" | ");
            let place = words.next().unwrap();
            let (host, region) = place.split_once(' ').unwrap();
            let service = services.iter().find(|one| one.host == host).unwrap();
            let region = super::known(region).unwrap();
            for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
                let expected = words.next().unwrap();
                let variant = EndpointVariant { fips, dual_stack };
                let ours = display(&of_aws(*service, region, variant));
                assert_eq!(ours, expected, "{place} {variant:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 144);
    }

    #[test]
    fn the_second_sts_is_another() {
        for (region, second) in [
            ("us-east-1", "sts.us-west-2.amazonaws.com us-west-2"),
            ("ap-south-1", "sts.us-east-1.amazonaws.com us-east-1"),
            (
                "cn-north-1",
                "sts.cn-northwest-1.amazonaws.com.cn cn-northwest-1",
            ),
            (
                "us-gov-east-1",
                "sts.us-gov-west-1.amazonaws.com us-gov-west-1",
            ),
        ] {
            assert_eq!(
                display(&second_sts(region, EndpointVariant::default())),
                second
            );
        }
    }
}
