//! What records are for, and what to do about them: a catalogue, Japanese and English.

use super::wanted::Topic;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    pub ja: &'static str,
    pub en: &'static str,
}

impl Words {
    pub fn json(self) -> Value {
        json!({ "ja": self.ja, "en": self.en })
    }
}

const fn words(ja: &'static str, en: &'static str) -> Words {
    Words { ja, en }
}

pub const STS_POLICY: Words = words(
    "送信側に暗号化を求める方針です。この文面を、この URL で、有効な証明書のある自社のウェブサーバーから公開してください。報告に問題がなくなれば mode を enforce に変え、_mta-sts の id も変えます。",
    "The policy that asks senders to encrypt. Publish this text at this URL, from a web server of yours with a valid certificate. Once the reports show no trouble, set mode to enforce and change the id in _mta-sts.",
);

pub const STS_HERE: Words = words(
    "送信側に暗号化を求める方針です。mta-sts の名前を当サービスへ向け、その名前の証明書を `certificate install` で入れれば、この URL で当サービスが公開します。報告に問題がなくなれば `domain set DOMAIN --mta-sts enforce` にして、_mta-sts の新しい id を登録してください。",
    "The policy that asks senders to encrypt. Once the name mta-sts leads here and its certificate is brought by `certificate install`, it is published at this URL for you. When the reports show no trouble, run `domain set DOMAIN --mta-sts enforce` and publish the new id in _mta-sts.",
);

pub const GATEWAY: Words = words(
    "このドメインのメールは、検査のあとお客様のサーバーへ渡します。そのサーバーでは、外部からの 25 番ポートの受信を let_in のアドレスだけに限ってください(Microsoft 365 では受信コネクタ、Google では受信ゲートウェイ)。開いたままでは、当サービスを通らずにメールを届けられます。お客様のサーバーから直接送信する場合は、そのアドレスを SPF に加え、`domain check` に --allow で示してください。`tenant outlet` で当サービスから送信する場合は要りません。",
    "Mail of this domain goes on to the customer's server after it was judged. There, take mail on port 25 from the addresses in let_in alone (Microsoft 365: an inbound connector; Google: an inbound gateway): while it is open to others, mail can be brought past this service. If that server also sends by itself, add its address to SPF and name it to `domain check` by --allow; what leaves by `tenant outlet` needs neither.",
);

pub const UNUSED_ALLOW: Words = words(
    "--allow で示されたこの項は、SPF でほかの送信を許している項の中にありません。綴りを bypass の detail と比べ、もう要らなければ --allow から外してください。",
    "Named by --allow, but no term of the SPF record that lets others send. Compare it with the details in bypass, or leave it away if it is not needed any more.",
);

pub const NO_KEYS: Words = words(
    "署名鍵を用意できませんでした。あとで `domain keys` を実行してください。",
    "The signing keys could not be made now. Run `domain keys` later.",
);

pub fn purpose(topic: Topic) -> Words {
    match topic {
        Topic::Mx => words(
            "このドメイン宛てのメールをここで受け取るため。ほかの MX があると検査を迂回されます。",
            "Mail for this domain comes here. Any other MX is a way around the checks.",
        ),
        Topic::Spf => words(
            "このドメインから送ってよいのは当サービスだけだと示すため。",
            "Only this service may send for the domain.",
        ),
        Topic::Dkim => words(
            "送信メールの署名を受信側が確かめるための公開鍵。RSA と Ed25519 の両方を登録します。",
            "The public key by which receivers check our signatures. Publish both, RSA and Ed25519.",
        ),
        Topic::DkimNext => words(
            "次の署名鍵。登録してから `domain rotate-keys` をもう一度実行すると、この鍵に切り替わります。",
            "The next signing key. Publish it, then run `domain rotate-keys` again: it signs from then on.",
        ),
        Topic::Dmarc => words(
            "SPF も DKIM も通らないなりすましを受信側に隔離してもらい、報告を受け取るため。",
            "Receivers quarantine what passes neither SPF nor DKIM, and report it.",
        ),
        Topic::Sts => words(
            "MTA-STS の方針があることを示します。方針を変えると id も変わります。",
            "Says that there is an MTA-STS policy. Its id changes with the policy.",
        ),
        Topic::Page => words(
            "当サービスのページへの別名。メールソフトの自動設定と MTA-STS の方針を、ここで公開します。",
            "Another name for our pages: settings for mail programs and the MTA-STS policy are published there.",
        ),
        Topic::TlsReports => words(
            "暗号化に失敗した配送の報告を受け取るため。利用者がいなくても受け取られ、`reports list` で読めます。",
            "Where senders report deliveries whose encryption failed. Nobody need have the address: read them with `reports list`.",
        ),
        Topic::Service => words(
            "メールソフトがサーバーを自動で見つけるため。",
            "Mail clients find their server by it.",
        ),
        Topic::NoService => words(
            "暗号化しない受信は提供していないことを示すため。",
            "Says that nothing is read without encryption here.",
        ),
    }
}

/// What to do about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    Add,
    AddAdvised,
    AddBeforeRotating,
    Replace,
    AskLater,
    OneSpf,
    BrokenSpf,
    SpfWithoutUs,
    BrokenDmarc,
    WeakDmarc,
    OtherKey,
    OtherHost,
    Reverse,
}

pub fn todo(todo: Todo) -> Words {
    match todo {
        Todo::Add => words("この値で登録してください。", "Publish this value."),
        Todo::AddAdvised => words("登録をお勧めします。", "Publishing it is advised."),
        Todo::AddBeforeRotating => {
            words("鍵を切り替える前に登録してください。", "Publish it before the keys are rotated.")
        }
        Todo::Replace => words("この値に直してください。", "Replace it by this value."),
        Todo::AskLater => words(
            "DNS から答えがありませんでした。時間をおいて再度お試しください。",
            "The DNS gave no answer. Try again later.",
        ),
        Todo::OneSpf => words(
            "SPF レコードが複数あり、すべて無効です。一つにまとめてください。",
            "There are several SPF records, so none counts. Make them one.",
        ),
        Todo::BrokenSpf => words(
            "SPF レコードの書式が誤っていて無効です。",
            "The SPF record breaks the grammar, so it does not count.",
        ),
        Todo::SpfWithoutUs => words(
            "SPF が当サービスの送信を許していません。この値の a: の項を加えてください。",
            "The SPF record does not let us send. Add the a: term of this value.",
        ),
        Todo::BrokenDmarc => words(
            "DMARC レコードの書式が誤っているか、複数あります。",
            "The DMARC record breaks the grammar, or there are several.",
        ),
        Todo::WeakDmarc => words(
            "p=none ではなりすましが止まりません。報告を確かめて quarantine か reject にしてください。",
            "p=none stops no forgery. Look at the reports, then make it quarantine or reject.",
        ),
        Todo::OtherKey => words(
            "公開されている鍵が当サービスの鍵と違います。この値に直してください。",
            "The published key is not ours. Replace it by this value.",
        ),
        Todo::Reverse => words(
            "このアドレスの逆引きを当サービスのホスト名にしてもらってください。送信メールの信用に関わります。",
            "Have our host name made the reverse name of this address: receivers look at it.",
        ),
        Todo::OtherHost => words(
            "ほかのサーバーを指しています。この値に直してください。",
            "It leads to another server. Replace it by this value.",
        ),
    }
}

/// A way around us, or a door left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    MxElsewhere,
    MxUnknown,
    HostWithoutAddress,
    SpfLetsIn,
    SpfAll,
    SpfOpenEnd,
    SpfPtr,
    SpfLookups,
    SpfVoid,
    SpfUnknown,
    DmarcMissing,
    DmarcNone,
    DmarcTesting,
    DmarcSubdomains,
    NotOurs,
    PolicyUnproven,
    HostUnproven,
}

impl Gap {
    pub fn code(self) -> &'static str {
        match self {
            Self::MxElsewhere => "mx.elsewhere",
            Self::MxUnknown => "mx.unknown",
            Self::HostWithoutAddress => "host.no-address",
            Self::SpfLetsIn => "spf.lets-in",
            Self::SpfAll => "spf.all",
            Self::SpfOpenEnd => "spf.open-end",
            Self::SpfPtr => "spf.ptr",
            Self::SpfLookups => "spf.lookups",
            Self::SpfVoid => "spf.void",
            Self::SpfUnknown => "spf.unknown",
            Self::DmarcMissing => "dmarc.missing",
            Self::DmarcNone => "dmarc.none",
            Self::DmarcTesting => "dmarc.testing",
            Self::DmarcSubdomains => "dmarc.subdomains",
            Self::NotOurs => "domain.not-ours",
            Self::PolicyUnproven => "mta-sts.unproven",
            Self::HostUnproven => "mx.unproven",
        }
    }
}

const POLICY_UNPROVEN: Words = words(
    "MTA-STS の方針を公開するこの名前の証明書は、当サービス自身の認証局が発行したもので、送信側には信頼されません。方針は読まれず、enforce にしても何も守られません。公的な認証局の証明書を `certificate install` で入れてください。方針をほかのウェブサーバーで公開している場合は、その必要はありません。",
    "The certificate of this name, where the MTA-STS policy is published, is from this service's own authority, which no sender trusts: nobody takes the policy, and enforce protects nothing. Bring one of a public authority by `certificate install`; only if another web server publishes the policy there is no need.",
);

const HOST_UNPROVEN: Words = words(
    "MX のこの名前の証明書は、当サービス自身の認証局が発行したものです。enforce の方針を読んだ送信側は、信頼できない証明書のサーバーへメールを渡しません。公的な認証局の証明書を `certificate install` で入れるか、それまで `domain set DOMAIN --mta-sts testing` にしてください。",
    "The certificate of this name in the MX records is from this service's own authority: senders that have read an enforced policy hand it no mail. Bring one of a public authority by `certificate install`, or set `domain set DOMAIN --mta-sts testing` until then.",
);

pub fn gap(gap: Gap) -> Words {
    match gap {
        Gap::MxElsewhere => words(
            "この MX は当サービス以外へ届きます。検査を通らないメールが入る裏口です。削除してください。",
            "This MX leads elsewhere: mail comes in by it unchecked. Remove it.",
        ),
        Gap::MxUnknown => words(
            "この MX の行き先を DNS で確かめられませんでした。",
            "Where this MX leads could not be found out.",
        ),
        Gap::HostWithoutAddress => words(
            "当サービスのホスト名にアドレスがありません。A か AAAA を登録するまでメールは届きません。",
            "Our own host name has no address. No mail comes before it has an A or AAAA record.",
        ),
        Gap::SpfLetsIn => words(
            "当サービス以外の送信を許しています。不要なら削除し、必要なら --allow で示してください。",
            "It lets others send as well. Remove it, or name it by --allow if it is meant.",
        ),
        Gap::SpfAll => words(
            "+all は世界中の誰にでも送信を許します。-all にしてください。",
            "+all lets the whole world send. Make it -all.",
        ),
        Gap::SpfOpenEnd => words(
            "末尾に -all も ~all もなく、ほかのサーバーを拒みません。",
            "It does not end in -all or ~all: it refuses nobody.",
        ),
        Gap::SpfPtr => words(
            "ptr は遅く偽りやすいため使ってはいけません (RFC 7208 §5.5)。",
            "ptr is slow and easily forged, and should not be used (RFC 7208 §5.5).",
        ),
        Gap::SpfLookups => words(
            "DNS の問い合わせが 10 回を超え、SPF 全体が無効になります (RFC 7208 §4.6.4)。",
            "It needs more than 10 questions to the DNS, so all of it is void (RFC 7208 §4.6.4).",
        ),
        Gap::SpfVoid => words(
            "指している先の SPF レコードがないか誤っていて、全体が無効になります。",
            "It refers to an SPF record that is absent or broken, so all of it is void.",
        ),
        Gap::SpfUnknown => words(
            "SPF の一部を DNS で確かめられませんでした。",
            "A part of the SPF record could not be found out.",
        ),
        Gap::DmarcMissing => words(
            "DMARC がなく、差出人のなりすましを止められません。",
            "Without DMARC nothing stops forged senders.",
        ),
        Gap::DmarcNone => words(
            "DMARC の方針が none で、なりすましを止めません。",
            "The DMARC policy is none: it stops no forgery.",
        ),
        Gap::DmarcTesting => words(
            "DMARC が試行中 (t=y) で、方針が一段弱く扱われます。",
            "DMARC is being tested (t=y): the policy counts one step less.",
        ),
        Gap::DmarcSubdomains => words(
            "サブドメインの方針が none で、そこからのなりすましを止めません。",
            "The policy for subdomains is none: forgery in their names is not stopped.",
        ),
        Gap::PolicyUnproven => POLICY_UNPROVEN,
        Gap::HostUnproven => HOST_UNPROVEN,
        Gap::NotOurs => words(
            "このドメインは当サービスに登録されていません。受けるなら、先に `domain add` で登録してください。",
            "This domain is not one of this service. If it is to be, add it first by `domain add`.",
        ),
    }
}

/// What becomes of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Publish,
    Rotated,
    Retired,
}

pub fn step(step: Step) -> Words {
    match step {
        Step::Publish => words(
            "次の鍵を作りました。両方のレコードを登録し、1 時間ほどおいて、もう一度実行してください。",
            "The next keys are made. Publish both records, wait an hour, and run this again.",
        ),
        Step::Rotated => words(
            "新しい鍵で署名します。前の鍵のレコードは 1 週間残し、そのあと消して --retire を実行してください。",
            "The new keys sign from now on. Leave the old records for a week, then remove them and run --retire.",
        ),
        Step::Retired => {
            words("署名に使わない鍵を捨てました。", "The keys that no longer sign are forgotten.")
        }
    }
}
