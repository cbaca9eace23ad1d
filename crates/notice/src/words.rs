//! What a reason says to a person, in Japanese and in English.

use crate::Reason;

/// One sentence, Japanese and English.
#[rustfmt::skip]
pub fn say(reason: Reason) -> (&'static str, &'static str) {
    use Reason::*;
    match reason {
        UserUnknown => ("そのアドレスの利用者がいません。", "Nobody has this address."),
        HostUnknown => ("そのドメインは存在しないか、メールを受け取りません。", "The domain does not exist or takes no mail."),
        MailboxFull => ("相手のメールボックスがいっぱいです。", "The mailbox is full."),
        Suspended => ("相手のアカウントは停止中です。", "The account is switched off."),
        HasMoved => ("アドレスが変わっています。", "The address has moved."),
        Filtered => ("相手の受信設定で拒まれました。", "The receiver's own filter refused it."),
        Blocked => ("相手のサーバーが送信元のサーバーを拒みました。", "The receiving server refuses the sending host."),
        Spam => ("迷惑メールと判定されました。", "It was taken for spam."),
        Virus => ("ウイルスと判定されました。", "It was taken for malware."),
        Authentication => ("送信ドメイン認証（SPF・DKIM・DMARC）に通りませんでした。", "The sender's domain was not authenticated (SPF, DKIM, DMARC)."),
        SenderRefused => ("差出人のアドレスが拒まれました。", "The sender's address is refused."),
        RelayRefused => ("相手のサーバーが中継を断りました。", "The server does not pass this mail on."),
        TooLarge => ("相手が受け取れる大きさを超えています。", "It is larger than the server takes."),
        Content => ("形式または内容が拒まれました。", "Its form or contents are refused."),
        NeedsUtf8 => ("アドレスかヘッダーに ASCII 以外の文字（日本語など）があり、相手のサーバーはそのようなメール（SMTPUTF8）に対応していません。相手に英数字のアドレスがあれば、そちらへ送ってください。", "An address or the header has letters beyond ASCII, and the receiving server does not take such mail (SMTPUTF8). If they have an address in ASCII, write to that one."),
        NeedsEightBits => ("本文に ASCII 以外の文字（日本語など）がそのまま（8bit で）入っていますが、相手のサーバーは 7bit のメールしか受け取りません（8BITMIME に対応していません）。差出人が、本文を quoted-printable か base64 で符号化して送り直す必要があります。", "The text has letters beyond ASCII as they are (8bit), and the receiving server takes only 7-bit mail (it has no 8BITMIME). Its sender has to send it again with its text encoded (quoted-printable or base64)."),
        Policy => ("相手の規則により拒まれました。", "The receiver's rules refuse it."),
        TooFast => ("短い時間に送りすぎました。", "Too much was sent in too short a time."),
        NeedsTls => ("必要な暗号化（TLS）ができませんでした。", "The encryption (TLS) that is required could not be made."),
        NoTls => ("必要な暗号化（TLS）に、次に渡す先のサーバーが対応していません。", "The next server on its way does not offer the encryption (TLS) that is required."),
        TlsName => ("必要な暗号化（TLS）のための証明書が別の名前のもので、次に渡す先のサーバーが本物であることを確認できません。", "The next server on its way shows a certificate for another name, so the encryption (TLS) that is required proves nothing."),
        TlsExpired => ("次に渡す先のサーバーの証明書（必要な暗号化（TLS）のためのもの）の有効期限が切れているか、まだ始まっていません。", "The next server on its way shows a certificate that has expired, or is not valid yet: the encryption (TLS) that is required proves nothing."),
        TlsUntrusted => ("次に渡す先のサーバーの証明書（必要な暗号化（TLS）のためのもの）が、信頼できる認証局のものではありません。", "The next server on its way shows a certificate that nobody known has issued: the encryption (TLS) that is required proves nothing."),
        TlsRecord => ("次に渡す先のサーバーの証明書が、宛先のドメインの DNS（TLSA レコード。DANE）が示すものと一致しません。", "The next server on its way shows a certificate that is none of those which the DNS of the domain names (TLSA records, DANE)."),
        TlsPolicy => ("宛先のドメインの MTA-STS ポリシーに、そのドメインの MX のサーバーが一つも挙げられていません。宛先のドメインの管理者に確認してください。", "The domain's own policy (MTA-STS) names none of the servers that take its mail. Ask whoever runs the domain."),
        RequireTls => ("このメールには REQUIRETLS（届くまでの全区間を TLS で守るという、差出人の指定）が付いていますが、相手のサーバーが対応していません。指定を外して送り直すか、別の手段で送ってください。", "It was sent with REQUIRETLS (its sender asks for TLS on all of its way), which the receiving server does not support. Send it again without REQUIRETLS, or by another way."),
        Unproven => ("このメールには REQUIRETLS（届くまでの全区間を TLS で守るという、差出人の指定）が付いていますが、宛先のドメインには、届け先のサーバーを確かめる手段（DNSSEC か、enforce の MTA-STS）がありません。宛先のドメインの管理者に設定を頼むか、指定を外して送り直してください。", "It was sent with REQUIRETLS (its sender asks for TLS on all of its way), and nothing proves which server takes mail for the domain: it has neither DNSSEC nor an enforced MTA-STS policy. Ask whoever runs the domain to have one, or send it again without REQUIRETLS."),
        Unreachable => ("相手のサーバーにつながりません。", "The server could not be reached."),
        HungUp => ("相手のサーバーにはつながりましたが、受け取られる前に接続が切れました。", "The receiving server was reached, and the connection broke before it had taken the mail."),
        MaybeTaken => ("相手のサーバーは本文を最後まで受け取りましたが、受け取ったかどうかを答えないまま接続が切れました。すでに届いている可能性があります（再送すると、二重に届くことがあります）。", "The receiving server had all of the mail, and the connection broke before it said whether it took it. It may have arrived already (and may arrive twice if it is sent again)."),
        NotYet => ("まだ受け取られていません。", "It has not been taken yet."),
        NoAnswer => ("相手のサーバーからは、まだ何の応答も得られていません。", "Nothing has been heard from the receiving server yet."),
        NoNames => ("宛先のドメインの DNS が応答せず、届け先のサーバーが分かりません。", "The DNS of the domain does not answer: it is not known which server takes its mail."),
        NoResolver => ("こちらのメールサービスの DNS リゾルバーが応答せず、届け先のサーバーを調べられません。宛先の問題ではありません。", "The resolver of your own mail service does not answer, so it is not known which server takes the mail. The recipient is not at fault."),
        LeadsBack => ("宛先のドメインの DNS（MX）が、届け先としてこちらのメールサーバー自身を指していますが、こちらではそのドメインのメールを扱っていません。宛先のドメインの管理者に確認してください。", "The DNS of the domain (MX) leads back to your own mail service, which takes no mail for it. Ask whoever runs the domain."),
        Loop => ("メールが同じ場所を回り続けています（ループ）。転送の設定か、宛先のドメインの DNS（MX）が原因です。宛先の管理者に確認してください。", "The mail goes in a circle (a loop): by a forward, or by the DNS of the domain (MX). Ask whoever runs the address."),
        Beyond => ("このアドレス宛のメールは別の宛先に転送されていますが、転送先に届けられませんでした。", "Mail for this address is passed on to another, and could not be delivered there."),
        Nonsense => ("相手のサーバーの応答が SMTP として成り立っていません。", "The receiving server answered what is no answer in SMTP."),
        OwnFault => ("こちらのメールサーバーの不具合のため、まだ相手に届けようとしていません。", "A fault of your own mail service has kept it: the receiving server was not tried."),
        Unreleased => ("送信の前に確認を待っていましたが、期限までに確認されなかったため、送信していません。", "It waited to be confirmed before it was sent; nobody did so in time, and it was not sent."),
        Expired => ("期限まで繰り返し試みましたが、届けられませんでした。", "It was tried again until its time was over, and given up."),
        System => ("相手のサーバーに不具合があります。", "The remote system has a fault."),
        Delivered => ("届きました。", "It was delivered."),
        Relayed => ("先へ渡されました。", "It was passed on."),
        Complaint => ("受取人が迷惑メールとして報告しました。", "A reader reported it as unwanted."),
        Away => ("不在の自動返信です。", "An automatic reply: somebody is away."),
        Cancelled => ("貴組織のメールサーバーの管理者が送信を取り消しました。相手には届いていません。", "An operator of your own mail service cancelled it: it was not sent."),
        Unknown => ("理由は書かれていません。", "It does not say why."),
    }
}
