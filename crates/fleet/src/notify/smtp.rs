//! E-mail: `smtp:HOST…` (STARTTLS) and `smtps:HOST…` (TLS from the first byte).
//!
//! `HOST[:PORT]?from=ADDRESS&to=ADDRESS,…[&user=NAME&password=env:NAME]`. TLS is always verified;
//! `tls=none` turns it off and is allowed only for this machine. Addresses are parsed before
//! anything is sent and headers are encoded, so no name or reason can inject a header. If a user's
//! owner tag holds an address, the owner gets a separate message about that user.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::Envelope,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use mail_builder::{
    MessageBuilder,
    headers::{address::Address as Header, date::Date, raw::Raw},
};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::{Channel, DispatchContext, NoticeMessage, secret_ref::SecretRef};

/// Timeout for one message in seconds.
const LIMIT_SECS: u64 = 30;
/// The maximum length of a server's error message, in characters.
const COMPLAINT_CHARS: usize = 200;
/// The maximum number of recipients in a fleet file.
const RECIPIENTS_MAX: usize = 50;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SmtpSecurity {
    StartTls,
    Implicit,
    None,
}

/// A mail server with sender and recipients.
struct SmtpChannel {
    host: String,
    port: u16,
    protection: SmtpSecurity,
    login: Option<(String, SecretRef)>,
    from: Address,
    to: Vec<Address>,
}

/// A message with its sender and recipient.
struct OutgoingMail {
    envelope: Envelope,
    bytes: Vec<u8>,
}

pub(super) fn parse(text: &str) -> Result<Arc<dyn Channel>, String> {
    Ok(Arc::new(SmtpChannel::new(text, SmtpSecurity::StartTls)?))
}

pub(super) fn parse_implicit(text: &str) -> Result<Arc<dyn Channel>, String> {
    Ok(Arc::new(SmtpChannel::new(text, SmtpSecurity::Implicit)?))
}

/// The query parameters.
#[derive(Default)]
struct SmtpParameters {
    from: Option<String>,
    to: Option<String>,
    user: Option<String>,
    password: Option<String>,
    tls: Option<String>,
}

impl SmtpParameters {
    fn parse(query: &str) -> Result<Self, String> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "from" => &mut parameters.from,
                "to" => &mut parameters.to,
                "user" => &mut parameters.user,
                "password" => &mut parameters.password,
                "tls" => &mut parameters.tls,
                _ => {
                    return Err(format!(
                        "unknown parameter {name}: expected from, to, user, password or tls"
                    ));
                }
            };
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| format!("{name} is not UTF-8"))?;
            if value.is_empty() || value.chars().any(char::is_control) || slot.is_some() {
                return Err(format!("{name} must have one value"));
            }
            *slot = Some(value.into_owned());
        }
        Ok(parameters)
    }
}

impl SmtpChannel {
    fn new(text: &str, protection: SmtpSecurity) -> Result<Self, String> {
        const FORM: &str = "expected HOST[:PORT]?from=ADDRESS&to=ADDRESS";
        let url =
            Url::parse(&format!("smtp://{text}")).map_err(|error| format!("{error}; {FORM}"))?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty());
        let Some(host) = host.filter(|_| plain && matches!(url.path(), "" | "/")) else {
            return Err(format!(
                "{FORM}; @, # and / before the question mark are not supported"
            ));
        };
        let parameters = SmtpParameters::parse(url.query().unwrap_or_default())?;
        let protection = match parameters.tls.as_deref() {
            None => protection,
            Some("none") if matches!(host, "127.0.0.1" | "[::1]" | "localhost") => {
                SmtpSecurity::None
            }
            Some("none") => return Err("tls=none is allowed only for this machine".to_owned()),
            Some(_) => {
                return Err(
                    "tls can only be none, and only for this machine; otherwise omit it".to_owned(),
                );
            }
        };
        let usual = match protection {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Implicit => 465,
            SmtpSecurity::None => 25,
        };
        let login = match (parameters.user, parameters.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                let secret = SecretRef::parse(&password)?;
                Some((
                    user,
                    secret.ok_or("password must be env:NAME or file:/PATH")?,
                ))
            }
            _ => return Err("user and password must be given together".to_owned()),
        };
        let from = parameters.from.ok_or("from is missing")?;
        let to = parameters.to.ok_or("to is missing")?;
        let to = to.split(',').map(recipient).collect::<Result<Vec<_>, _>>();
        let to = to.map_err(|why| format!("to: {why}"))?;
        if to.is_empty() || to.len() > RECIPIENTS_MAX {
            return Err(format!("to must have 1 to {RECIPIENTS_MAX} addresses"));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual),
            protection,
            login,
            from: recipient(&from).map_err(|why| format!("from: {why}"))?,
            to,
        })
    }

    /// Builds the message as sent.
    fn mail(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<OutgoingMail, String> {
        let to = match dispatch.recipient {
            None => self.to.clone(),
            Some(owner) => vec![owner.parse().map_err(smtp_error)?],
        };
        let id = message.id(dispatch.recipient.unwrap_or_default());
        let header = |address: &Address| Header::new_address(None::<&str>, address.to_string());
        let mail = MessageBuilder::new()
            .from(Header::new_address(
                Some("Keywright"),
                self.from.to_string(),
            ))
            .to(Header::new_list(to.iter().map(header).collect()))
            .subject(format!("[Keywright] {}", message.title()))
            .date(Date::new(dispatch.clock.now().secs()))
            .message_id(format!("{id}@{}", self.from.domain()))
            // RFC 3834: suppresses automatic replies.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(format!("{}\r\n", message.text().replace('\n', "\r\n")));
        Ok(OutgoingMail {
            envelope: Envelope::new(Some(self.from.clone()), to).map_err(smtp_error)?,
            bytes: mail.write_to_vec().map_err(smtp_error)?,
        })
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let parameters = || TlsParameters::new(self.host.clone()).map_err(smtp_error);
        let tls = match self.protection {
            SmtpSecurity::StartTls => Tls::Required(parameters()?),
            SmtpSecurity::Implicit => Tls::Wrapper(parameters()?),
            SmtpSecurity::None => Tls::None,
        };
        // lettre calls it "dangerous" because it has no TLS until the next line.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .tls(tls)
            .port(self.port)
            .timeout(Some(Duration::from_secs(LIMIT_SECS)));
        if let Some((user, password)) = &self.login {
            let password = password.read()?.expose().clone();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }
}

fn smtp_error(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Parses a bare address in the characters of SMTP without extensions.
fn recipient(text: &str) -> Result<Address, String> {
    let address: Address = text.trim().parse().map_err(smtp_error)?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | ',' | '[' | ']');
    if address.to_string().chars().all(plain) {
        Ok(address)
    } else {
        Err("it contains characters that not every mail server accepts".to_owned())
    }
}

#[async_trait]
impl Channel for SmtpChannel {
    fn label(&self) -> String {
        let port = self.port;
        match self.host.as_str() {
            address if address.contains(':') => format!("[{address}]:{port}"),
            host => format!("{host}:{port}"),
        }
    }

    fn check(&self) -> Result<(), String> {
        match &self.login {
            Some((_, password)) => password.read().map(drop),
            None => Ok(()),
        }
    }

    fn owner_address(&self, owner: &str) -> Option<String> {
        let address = recipient(owner).ok();
        let address = address.filter(|address| address.domain().contains('.'));
        address.map(|address| address.to_string())
    }

    async fn send(
        &self,
        message: &NoticeMessage<'_>,
        dispatch: &DispatchContext<'_>,
    ) -> Result<(), String> {
        let mail = self.mail(message, dispatch)?;
        let transport = self.transport()?;
        let sent = tokio::time::timeout(
            Duration::from_secs(LIMIT_SECS),
            transport.send_raw(&mail.envelope, &mail.bytes),
        )
        .await;
        let error = match sent {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("timed out after {LIMIT_SECS} s"),
        };
        let error: String = error.chars().take(COMPLAINT_CHARS).collect();
        Err(match &self.login {
            // A server may echo what it was sent.
            Some((_, password)) => error.replace(password.read()?.expose().as_str(), "[secret]"),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use keywright_base::{Clock, Timestamp};

    use super::{SmtpChannel, SmtpSecurity};
    use crate::notify::{DispatchContext, Notice, NoticeKind, NoticeMessage};

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1_800_000_000)
        }
    }

    fn sent(user: &str, recipient: Option<&str>) -> String {
        let text = "h?from=keys@example.org&to=a@example.org,b@example.org";
        let smtp = SmtpChannel::new(text, SmtpSecurity::StartTls).unwrap();
        let now = Noon.now();
        let mut notice = Notice::of_account("prod", NoticeKind::Held, "why", now);
        notice.user_name = Some(user.to_owned());
        let message = NoticeMessage {
            notices: &[notice],
            digest: false,
        };
        let dispatch = DispatchContext {
            recipient,
            account: None,
            clock: &Noon,
        };
        let mail = smtp.mail(&message, &dispatch).unwrap();
        String::from_utf8(mail.bytes).unwrap()
    }

    fn headers(mail: &str) -> Vec<&str> {
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        head.lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .collect()
    }

    #[test]
    fn a_mail_has_our_headers_and_no_others() {
        let mail = sent("bob", None);
        let plain = headers(&mail);
        for header in [
            "From: \"Keywright\" <keys@example.org>",
            "To: <a@example.org>, <b@example.org>",
            "Subject: [Keywright] Action needed: the rotation of bob is held",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=\"utf-8\"",
        ] {
            assert!(plain.contains(&header), "{header}: {mail}");
        }
        assert_eq!(mail, sent("bob", None), "sent again, it is the same mail");
        let names = |mail: &str| -> Vec<String> {
            let names = headers(mail).into_iter();
            names
                .map(|line| line.split(':').next().unwrap().to_owned())
                .collect()
        };
        for user in [
            "x\r\nBcc: eve@example.org",
            "x\n\nbody",
            "é\u{2028}Bcc: eve@example.org",
        ] {
            let hostile = sent(user, None);
            assert_eq!(names(&hostile), names(&mail), "{hostile}");
        }
    }

    #[test]
    fn an_owner_gets_a_mail_of_its_own() {
        let mail = sent("bob", Some("owner@example.org"));
        assert!(
            headers(&mail).contains(&"To: <owner@example.org>"),
            "{mail}"
        );
        assert!(!mail.contains("a@example.org"), "{mail}");
    }
}
