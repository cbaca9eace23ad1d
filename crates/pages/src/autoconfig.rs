//! Where a mail program finds its servers: Thunderbird's form, and Outlook's.

use wire::control::Service;

/// What Outlook answers to is as long as an address may be.
const ADDRESS_BYTES: usize = 320;
/// The error of Outlook's protocol for a request that it would not understand either.
const INVALID_REQUEST: u32 = 600;

/// What is offered to one domain's people.
pub(crate) struct Offer<'a> {
    pub domain: &'a str,
    /// Our own name.
    pub host: &'a str,
    pub ports: &'a [(Service, u16)],
}

impl Offer<'_> {
    fn port(&self, service: Service) -> Option<u16> {
        self.ports.iter().find(|(one, _)| *one == service).map(|(_, port)| *port)
    }

    /// <https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat>. An app password
    /// is what is typed; it crosses the wire under TLS only.
    pub fn for_thunderbird(&self) -> String {
        let domain = escaped(self.domain);
        let mut servers = String::new();
        for (service, element, kind, socket) in [
            (Service::Imaps, "incomingServer", "imap", "SSL"),
            (Service::Pop3s, "incomingServer", "pop3", "SSL"),
            (Service::Submissions, "outgoingServer", "smtp", "SSL"),
            (Service::Submission, "outgoingServer", "smtp", "STARTTLS"),
        ] {
            let Some(port) = self.port(service) else { continue };
            let host = escaped(self.host);
            servers.push_str(&format!(
                "    <{element} type=\"{kind}\">\n      <hostname>{host}</hostname>\n      \
                 <port>{port}</port>\n      <socketType>{socket}</socketType>\n      \
                 <authentication>password-cleartext</authentication>\n      \
                 <username>%EMAILADDRESS%</username>\n    </{element}>\n"
            ));
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  \
             <emailProvider id=\"{domain}\">\n    <domain>{domain}</domain>\n    \
             <displayName>{domain}</displayName>\n    \
             <displayShortName>{domain}</displayShortName>\n{servers}  \
             </emailProvider>\n</clientConfig>\n"
        )
    }

    /// The answer to Outlook's question (MS-OXDSCLI, plain old XML): of the question only the
    /// address counts, which stands in the answer again.
    pub fn for_outlook(&self, question: &[u8]) -> String {
        let Some(address) = self.address_in(question) else { return self.refused() };
        let mut protocols = String::new();
        for (service, kind, coding) in [
            (Service::Imaps, "IMAP", "SSL"),
            (Service::Pop3s, "POP3", "SSL"),
            (Service::Submissions, "SMTP", "SSL"),
            (Service::Submission, "SMTP", "TLS"),
        ] {
            let Some(port) = self.port(service) else { continue };
            // Outlook takes the first of each type.
            if kind == "SMTP" && protocols.contains("<Type>SMTP</Type>") {
                continue;
            }
            let (host, address) = (escaped(self.host), escaped(address));
            protocols.push_str(&format!(
                "      <Protocol>\n        <Type>{kind}</Type>\n        \
                 <Server>{host}</Server>\n        <Port>{port}</Port>\n        \
                 <LoginName>{address}</LoginName>\n        \
                 <DomainRequired>off</DomainRequired>\n        <SPA>off</SPA>\n        \
                 <SSL>on</SSL>\n        <Encryption>{coding}</Encryption>\n        \
                 <AuthRequired>on</AuthRequired>\n      </Protocol>\n"
            ));
        }
        outlook(&format!(
            "    <Account>\n      <AccountType>email</AccountType>\n      \
             <Action>settings</Action>\n{protocols}    </Account>\n"
        ))
    }

    fn refused(&self) -> String {
        let domain = escaped(self.domain);
        outlook(&format!(
            "    <Error>\n      <ErrorCode>{INVALID_REQUEST}</ErrorCode>\n      \
             <Message>expected an EMailAddress at {domain}</Message>\n    </Error>\n"
        ))
    }

    /// An address of this domain between the two tags; no XML is read.
    fn address_in<'q>(&self, question: &'q [u8]) -> Option<&'q str> {
        const BEGIN: &str = "<EMailAddress>";
        let text = std::str::from_utf8(question).ok()?;
        let behind = text.get(text.find(BEGIN)? + BEGIN.len()..)?;
        let address = behind.get(..behind.find('<')?)?.trim();
        let (local, domain) = address.rsplit_once('@')?;
        let fits = !local.is_empty()
            && address.len() <= ADDRESS_BYTES
            && domain.eq_ignore_ascii_case(self.domain)
            && !address.chars().any(|letter| letter.is_control() || "&\"'<>".contains(letter));
        fits.then_some(address)
    }
}

fn outlook(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\
         \"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n  \
         <Response xmlns=\
         \"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\">\n\
         {inside}  </Response>\n</Autodiscover>\n"
    )
}

/// Text in XML and HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
