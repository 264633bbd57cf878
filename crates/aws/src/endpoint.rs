//! AWS's service endpoints and signing regions.
//!
//! The endpoints are those of AWS's own clients, for every partition, with FIPS and dual-stack. The
//! table in the tests was generated with botocore (1.43, November 2026).

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceEndpoint {
    /// Scheme and authority, without a trailing slash.
    pub(crate) url: String,
    pub(crate) region: &'static str,
}

/// AWS's names for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceName {
    /// The name in host names and credential scopes.
    pub(crate) host: &'static str,
    /// The service ID, which `AWS_ENDPOINT_URL_…` and `services` sections use in a normalized form.
    pub id: &'static str,
}

/// IAM. Keywright's extension service has the same endpoint.
pub(crate) const IAM: ServiceName = name("iam", "IAM");
pub(crate) const STS: ServiceName = name("sts", "STS");
/// Systems Manager's Parameter Store.
pub const SSM: ServiceName = name("ssm", "SSM");
/// Secrets Manager.
pub const SECRETS_MANAGER: ServiceName = name("secretsmanager", "Secrets Manager");
/// KMS.
pub const KMS: ServiceName = name("kms", "KMS");
/// SNS.
pub const SNS: ServiceName = name("sns", "SNS");
pub(crate) const CLOUDTRAIL: ServiceName = name("cloudtrail", "CloudTrail");

const fn name(host: &'static str, id: &'static str) -> ServiceName {
    ServiceName { host, id }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EndpointVariant {
    /// Use endpoints with FIPS-validated cryptography.
    pub(crate) fips: bool,
    /// Use endpoints that also support IPv6.
    pub(crate) dual_stack: bool,
}

/// AWS's own endpoint of a service in a region.
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
    // Secrets Manager has dual-stack endpoints of its own only in the European partition.
    let plain = service == SECRETS_MANAGER && partition.name != "eusc";
    let dual_stack = variant.dual_stack && !plain;
    // In GovCloud most standard endpoints are FIPS-validated and have no separate FIPS name.
    let plain = partition.name == "gov" && service != SECRETS_MANAGER && !dual_stack;
    let fips = if variant.fips && !plain { "-fips" } else { "" };
    let suffix = partition.suffix(dual_stack);
    ServiceEndpoint {
        url: format!("https://{}{fips}.{region}.{suffix}", service.host),
        region,
    }
}

/// A second, distant STS endpoint: a new key must be known to both.
pub(crate) fn second_sts(region: &'static str, variant: EndpointVariant) -> ServiceEndpoint {
    let other = match (AwsPartition::of(region).home, region) {
        ("us-east-1", "us-east-1") => "us-west-2",
        ("cn-north-1", "cn-north-1") => "cn-northwest-1",
        ("us-gov-west-1", "us-gov-west-1") => "us-gov-east-1",
        (home, _) => home,
    };
    of_aws(STS, other, variant)
}

/// The signing region of IAM, whose trail also records IAM's events.
pub(crate) fn home(region: &str) -> &'static str {
    AwsPartition::of(region).home
}

/// The region's code as a static string, if any partition has it.
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

struct AwsPartition {
    name: &'static str,
    plain: &'static str,
    dual_stack: &'static str,
    /// The signing region of its IAM.
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

    /// The host of IAM, of which a partition has one.
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

    /// For each service and region: host and signing region of the standard, FIPS, dual-stack and
    /// combined endpoints.
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
