//! The catalogue itself: id, Japanese, English. `{}` is where the detail
//! stands; what stands in brackets is said with a detail, or else what is behind its `|`.

pub(crate) const WORDS: &[(&str, &str, &str)] = &[
    (
        "auth.dmarc.pass",
        "差出人のドメイン[ {} ]は本物と確認されました",
        "the From domain[ {}] is authentic",
    ),
    (
        "auth.dmarc.fail",
        "差出人のドメイン[ {} ]からとは確認できません",
        "the message does not come from its From domain[ {}]",
    ),
    (
        "auth.dmarc.quarantine",
        "差出人のドメイン[ {} ]は確認できず、その持ち主は隔離を求めています",
        "not from its From domain[ {}], whose owner asks for quarantine",
    ),
    (
        "auth.dmarc.reject",
        "差出人のドメイン[ {} ]は確認できず、その持ち主は拒否を求めています",
        "not from its From domain[ {}], whose owner asks for refusal",
    ),
    (
        "auth.dmarc.temperror",
        "差出人のドメイン[ {} ]の方針を今は調べられません",
        "the policy of the From domain[ {}] cannot be learned now",
    ),
    (
        "auth.dmarc.permerror",
        "差出人のドメイン[ {} ]の方針が壊れています",
        "the policy of the From domain[ {}] is broken",
    ),
    (
        "auth.spf.fail",
        "送信元のサーバーは差出人のドメインに認められていません (SPF)",
        "the sending server is not one of the sender's domain (SPF)",
    ),
    (
        "auth.spf.softfail",
        "送信元のサーバーはおそらく差出人のドメインのものではありません (SPF)",
        "the sending server is probably not one of the sender's domain (SPF)",
    ),
    (
        "auth.spf.permerror",
        "差出人のドメインの SPF レコードが壊れています",
        "the SPF record of the sender's domain is broken",
    ),
    (
        "auth.dkim.fail",
        "電子署名が本文と合いません (DKIM)",
        "the signature does not fit the message (DKIM)",
    ),
    (
        "auth.dkim.partial",
        "[{} の]電子署名は本文の初めの部分だけのもので、残りは誰でも書き足せます (DKIM)",
        "[the|a] signature[ of {}] covers the beginning only; anybody may have added the rest \
         (DKIM)",
    ),
    (
        "auth.own",
        "差出人のドメイン[ {} ]はこのサービスのものですが、そこからのメールとは確認できません",
        "its From domain[ {}] is one of this house, and nothing proves that it came from there",
    ),
    (
        "auth.house",
        "このメールサービス自身[ ({}) ]を名乗って外部から届いたメールです",
        "comes from outside and claims to be from this mail service itself[ ({})]",
    ),
    (
        "auth.from.nobody",
        "差出人の欄に読み取れるアドレスがありません",
        "its From field names nobody that could be read",
    ),
    (
        "auth.from.many",
        "差出人のドメインが多すぎて確認しきれません",
        "names authors of more domains than can be verified",
    ),
    (
        "auth.from.disguised",
        "差出人のドメイン[ {} ]が特殊な文字や記号で偽装されています",
        "writes its From domain[ {}] in disguise, with letters that readers show as others",
    ),
    (
        "auth.from.hidden",
        "差出人の欄に、差出人と見間違える別のアドレス[ ({}) ]が隠されています",
        "hides another address in From, which may be shown as the author's[ ({})]",
    ),
    ("auth.none", "送信ドメイン認証がまったくありません", "nothing authenticates the sender"),
    (
        "auth.arc.trusted",
        "信頼する転送者が元の認証結果を保証しています (ARC)",
        "a trusted forwarder vouches for the original results (ARC)",
    ),
    ("auth.arc.fail", "転送の記録が壊れています (ARC)", "the chain of forwarders is broken (ARC)"),
    (
        "policy.allowed",
        "受信者の許可リストにある差出人です",
        "the sender is on the recipient's allow list",
    ),
    (
        "scanner.killed",
        "検査中に検査係が二度停止したため、取り分けました",
        "two scanners died of this message, so it was set aside",
    ),
    (
        "message.large",
        "メールが大きすぎます[ ({})]。サービスは 552 で断ります",
        "the message is too large[ ({})]; the service refuses it with 552",
    ),
    (
        "message.line.long",
        "長すぎる行[ ({} オクテット) ]があります。サービスは 500 で断ります",
        "a line is too long[ ({} octets)]; the service refuses the message with 500",
    ),
    (
        "message.nul",
        "NUL (0 の文字) があります。サービスは 554 で断ります",
        "it holds a NUL; the service refuses the message with 554",
    ),
    (
        "message.continues",
        "最初の行が空白で始まり、前の項目の続きになります。サービスは 554 で断ります",
        "its first line begins with a space and would continue another field; the service refuses \
         the message with 554",
    ),
    (
        "message.header.long",
        "ヘッダーが長すぎるか、項目が多すぎます。サービスは 554 で断ります",
        "the header is too long or has too many fields; the service refuses the message with 554",
    ),
    (
        "message.hops.many",
        "通ったサーバーが多すぎます (循環)。サービスは 554 で断ります",
        "it came through too many hosts (a loop); the service refuses the message with 554",
    ),
    ("message.unread", "ファイルを読めません[ ({})]", "the file could not be read[ ({})]"),
    ("scanner.silent", "検査が時間内に終わりませんでした", "the examination did not end in time"),
    ("content.malware", "不正なプログラム[ {} ]が含まれています", "contains malware[ {}]"),
    (
        "mime.parts.many",
        "部品が[ {} を超えています|多すぎます]",
        "has [more than {}|too many] parts",
    ),
    (
        "mime.depth.great",
        "入れ子が[ {} 段を超えています|深すぎます]",
        "is nested [deeper than {} levels|too deep]",
    ),
    ("mime.header.many", "ヘッダーの項目が多すぎます", "has too many header fields"),
    ("mime.header.long", "長すぎるヘッダーの項目があります", "has a header field that is too long"),
    (
        "mime.header.malformed",
        "ヘッダーに項目の形をしていない行があります",
        "a line of the header is no field",
    ),
    (
        "mime.header.unended",
        "部品のヘッダーが空行なしで終わっています",
        "the header of a part ends without an empty line",
    ),
    (
        "mime.header.duplicate",
        "[{} が二つ以上あり|一つだけのはずのヘッダーが二つ以上あり]、表示する側によって違って見えます",
        "has [more than one {} field|a field twice that may stand only once]; readers may show \
         different ones",
    ),
    (
        "mime.unwalked",
        "検査の限りを超える作りで、全体を検査できません[ ({})]",
        "goes beyond what is taken apart and was not examined as a whole[ ({})]",
    ),
    (
        "mime.partial",
        "分割されたメールの一片で、つなぐと現れる中身を検査できません",
        "one piece of a message sent in pieces, whose whole cannot be examined",
    ),
    (
        "mime.external",
        "読むソフトが別の場所から取り込む中身があり、ここでは検査できません[ ({})]",
        "has contents that programs fetch from elsewhere, where nothing here has looked[ ({})]",
    ),
    (
        "mime.readings",
        "読む側によって違う添付や本文が現れる作りです[ ({})]",
        "shows other parts to some readers than to others[ ({})]",
    ),
    ("mime.type.duplicate", "Content-Type が二つ以上あります", "has more than one Content-Type"),
    (
        "mime.type.conflict",
        "食い違う Content-Type があり、検査をすり抜ける手口です",
        "has contradicting Content-Types, a way past scanners",
    ),
    (
        "mime.encoding.duplicate",
        "Content-Transfer-Encoding が二つ以上あります",
        "has more than one Content-Transfer-Encoding",
    ),
    (
        "mime.encoding.conflict",
        "食い違う Content-Transfer-Encoding があり、検査をすり抜ける手口です",
        "has contradicting transfer encodings, a way past scanners",
    ),
    ("mime.encoding.unknown", "知られていない転送符号化です", "uses an unknown transfer encoding"),
    (
        "mime.encoding.composite",
        "入れ物の部品[ ({}) ]が符号化されています",
        "a part that holds parts[ ({})] is encoded",
    ),
    (
        "mime.parameter.duplicate",
        "項目[の引数 {} が二度あります|に同じ引数が二度あります]",
        "[the parameter {}|a parameter of a field] stands twice",
    ),
    ("mime.parameter.many", "項目の引数が多すぎます", "a field has too many parameters"),
    ("mime.boundary.absent", "部品の区切りが示されていません", "a multipart names no boundary"),
    ("mime.boundary.empty", "部品の区切りが空です", "a multipart has an empty boundary"),
    (
        "mime.boundary.long",
        "部品の区切りが規格より長いです[ ({} 文字)]",
        "a boundary is longer than the standard allows[ ({} characters)]",
    ),
    (
        "mime.boundary.prefix",
        "区切りの一つが別の区切りの先頭と同じです",
        "one boundary is the beginning of another",
    ),
    (
        "mime.boundary.same",
        "同じ区切りが内と外で使われています",
        "the same boundary is used inside and outside",
    ),
    ("mime.boundary.near", "区切りに似た行があります", "a line is nearly a boundary"),
    (
        "mime.boundary.reopened",
        "区切りの終わりの後に、同じ区切りでまた部品が始まります",
        "parts go on behind the closing boundary, where some readers still see them",
    ),
    (
        "mime.part.outside",
        "部品の区切りの外に、部品の形をしたものがあります",
        "something shaped like a part stands outside the boundaries",
    ),
    (
        "mime.boundary.unseen",
        "示された区切りが一度も現れません",
        "the announced boundary never appears",
    ),
    ("mime.boundary.unclosed", "区切りの終わりがありません", "a multipart is not closed"),
    (
        "mime.charset.lying",
        "文字コードの表示が[違い、実際は {} です|実際と違います]",
        "the named character set is wrong[; it is {}]",
    ),
    (
        "mime.charset.utf7",
        "UTF-7 で書かれており、検査をすり抜ける手口です",
        "written in UTF-7, a way past scanners",
    ),
    ("mime.base64.junk", "base64 の中に余計な文字があります", "there is rubbish inside base64"),
    ("mime.nul", "NUL 文字が含まれています", "contains NUL octets"),
    (
        "content.eicar",
        "試験用ウイルス EICAR が含まれています[ {}]",
        "contains the EICAR test virus[ {}]",
    ),
    ("content.gtube", "迷惑メールの試験文 GTUBE が含まれています", "contains the GTUBE test text"),
    (
        "content.unexamined",
        "大きすぎて一部を検査していません[ {}]",
        "too large to be examined as a whole[ {}]",
    ),
    (
        "content.bomb.size",
        "展開すると際限なく膨らむファイルです[ {}]",
        "a file that bursts when unpacked[ {}]",
    ),
    (
        "content.bomb.ratio",
        "異常に高い圧縮率のファイルです[ {}]",
        "a file packed to an absurd ratio[ {}]",
    ),
    (
        "content.bomb.entries",
        "書庫のファイルが多すぎて検査しきれません",
        "its archives hold more files than can be examined",
    ),
    (
        "content.bomb.overlap",
        "書庫の中のファイルが互いに重なっています[ {}]",
        "files of an archive overlap[ {}]",
    ),
    ("content.bomb.depth", "書庫が深く重ねられています[ {}]", "archives are nested too deep[ {}]"),
    (
        "content.archive.encrypted",
        "書庫が暗号化されていて中を検査できません[ {}]",
        "an encrypted archive cannot be examined[ {}]",
    ),
    (
        "content.archive.opaque",
        "この形式の書庫の中は検査していません[ {}]",
        "archives of this kind are not examined inside[ {}]",
    ),
    (
        "content.archive.method",
        "展開できない方式で圧縮されていて中を検査できません[ {}]",
        "packed by a method that cannot be unpacked, so not examined[ {}]",
    ),
    (
        "content.zip.differs",
        "書庫の目次と中身の記録が食い違っています[ {}]",
        "directory and contents of an archive contradict each other[ {}]",
    ),
    (
        "content.zip.behind",
        "別のものの後ろに ZIP 書庫が付いています[ {}]",
        "a ZIP archive stands behind something else[ {}]",
    ),
    (
        "content.zip.hidden",
        "書庫の目次にないファイルが隠されています[ {}]",
        "an archive hides files that its directory does not name[ {}]",
    ),
    (
        "content.type.program",
        "中身は実行できるファイルです[ {}]",
        "is a program by its contents[ {}]",
    ),
    (
        "content.type.carrier",
        "中身はディスクイメージなどの入れ物です[ {}]",
        "is a disk image or the like by its contents[ {}]",
    ),
    ("content.type.lies", "名前と中身の種類が違います[ {}]", "is not what its name says[ {}]"),
    (
        "content.type.declared",
        "表示された種類と中身が違います[ {}]",
        "is not what its type says[ {}]",
    ),
    ("content.name.program", "実行形式のファイルです[ {}]", "is a program by its name[ {}]"),
    ("content.name.script", "スクリプトのファイルです[ {}]", "is a script by its name[ {}]"),
    (
        "content.name.carrier",
        "開くと別のものを動かしうるファイルです[ {}]",
        "is of a kind that opens other things[ {}]",
    ),
    (
        "content.name.macro",
        "マクロを含む形式の文書です[ {}]",
        "is a document of a kind with macros[ {}]",
    ),
    (
        "content.name.double",
        "文書に見せかけた二重の拡張子です[ {}]",
        "wears a second ending as a disguise[ {}]",
    ),
    (
        "content.name.direction",
        "文字の向きを変える記号で名前を偽装しています[ {}]",
        "turns the direction of reading to disguise a name[ {}]",
    ),
    ("content.office.macro", "マクロを含む文書です[ {}]", "is a document with macros[ {}]"),
    (
        "content.office.remote",
        "開くと外部から部品を読み込む文書です[ {}]",
        "is a document that fetches parts from outside[ {}]",
    ),
    (
        "content.office.package",
        "別のファイルを埋め込んだ文書です[ {}]",
        "is a document with a file packed inside[ {}]",
    ),
    (
        "content.office.encrypted",
        "暗号化された文書で中を検査できません[ {}]",
        "an encrypted document cannot be examined[ {}]",
    ),
    ("content.pdf.script", "スクリプトを含む PDF です[ {}]", "is a PDF with a script[ {}]"),
    (
        "content.pdf.opens",
        "開くとスクリプトが動く PDF です[ {}]",
        "is a PDF that runs a script when opened[ {}]",
    ),
    (
        "content.pdf.launch",
        "プログラムを起動する PDF です[ {}]",
        "is a PDF that starts a program[ {}]",
    ),
    ("content.pdf.file", "ファイルを埋め込んだ PDF です[ {}]", "is a PDF with a file inside[ {}]"),
    ("content.pdf.active", "動く部品を含む PDF です[ {}]", "is a PDF with active parts[ {}]"),
    ("content.pdf.encrypted", "暗号化された PDF です[ {}]", "is an encrypted PDF[ {}]"),
    ("content.page.form", "入力フォームがあります", "contains a form"),
    (
        "content.page.password",
        "パスワードを入力させるフォームがあります",
        "contains a form that asks for a password",
    ),
    ("content.page.script", "スクリプトが含まれています", "contains a script"),
    ("content.page.script-link", "リンクがスクリプトを動かします", "a link runs a script"),
    (
        "content.page.data-link",
        "リンクの中に別のページが埋め込まれています",
        "a link carries a page inside itself",
    ),
    (
        "content.page.file-link",
        "リンクが手元や社内のファイルを指しています",
        "a link points at local or shared files",
    ),
    (
        "content.page.frame",
        "外部の部品を埋め込む枠があります[ ({})]",
        "embeds something foreign[ ({})]",
    ),
    ("content.page.refresh", "開くと別のページへ移ります", "moves on to another page by itself"),
    (
        "content.page.base",
        "すべてのリンクの行き先を変える指定があります",
        "changes where all links lead",
    ),
    ("content.page.hidden", "見えない文字が多く含まれています", "contains much hidden text"),
    ("content.page.attached", "Web ページが添付されています", "a web page is attached"),
    (
        "content.page.smuggling",
        "開くとファイルを作り出す Web ページです",
        "an attached page builds a file when opened",
    ),
    (
        "content.link.elsewhere",
        "リンクの表示と行き先が違います[ {}]",
        "a link leads elsewhere than it says[ {}]",
    ),
    (
        "content.link.user",
        "リンクの行き先が紛らわしく書かれています[ ({})]",
        "a link disguises where it leads[ ({})]",
    ),
    (
        "content.link.number",
        "リンクの行き先が数字の住所です[ ({})]",
        "a link leads to a bare number[ ({})]",
    ),
    (
        "content.lookalike.domain",
        "よく似た別のドメインです[ {}]",
        "a domain that looks like another[ {}]",
    ),
    (
        "content.lookalike.scripts",
        "異なる文字体系を混ぜたドメインです[ {}]",
        "a domain that mixes scripts[ {}]",
    ),
    (
        "content.lookalike.worn",
        "有名なドメインを前に付けた別のドメインです[ {}]",
        "a domain that wears a known name in front[ {}]",
    ),
    (
        "content.lookalike.kana",
        "カタカナに見せかけた漢字が使われています[ {}]",
        "kanji stand in for katakana[ {}]",
    ),
    (
        "content.inline.uuencode",
        "本文に uuencode でファイルが書き込まれています[ {}]",
        "a file is written into the text as uuencode[ {}]",
    ),
    (
        "content.inline.yenc",
        "本文に yEnc でファイルが書き込まれています[ {}]",
        "a file is written into the text as yEnc[ {}]",
    ),
    (
        "content.inline.binhex",
        "本文に BinHex でファイルが書き込まれています[ {}]",
        "a file is written into the text as BinHex[ {}]",
    ),
    (
        "content.text.scripts",
        "一つの語に異なる文字体系が混ざっています[ {}]",
        "one word mixes scripts[ {}]",
    ),
    ("content.sender.absent", "差出人がありません", "names no sender"),
    (
        "content.sender.display",
        "表示名のアドレスと実際の差出人が違います[ {}]",
        "the display name shows another address[ {}]",
    ),
    (
        "content.sender.house",
        "有名な会社を名乗っていますが別のドメインです[ {}]",
        "wears a known name over a stranger's address[ {}]",
    ),
    (
        "content.sender.reply",
        "返信先が差出人と別のドメインです[ {}]",
        "replies would go to another domain[ {}]",
    ),
    (
        "mime.header.spaced",
        "ヘッダーの項目名の後に余計な空白があります",
        "has blanks between the name of a field and its colon",
    ),
    (
        "content.sender.malformed",
        "差出人の欄がアドレスになっていません",
        "the From field holds no address",
    ),
    (
        "content.sender.several",
        "異なるドメインの差出人が並んでいます",
        "names authors of different domains",
    ),
    (
        "content.sender.twice",
        "差出人の欄が二つ以上あり、誰からか判断できません",
        "has more than one From field, so that nobody knows who wrote it",
    ),
    (
        "auth.forged",
        "当方[ {} ]の名を騙る認証結果が付いていたので取り除きました",
        "carried authentication results forged in our name[ {}], which were taken out",
    ),
    (
        "outgoing.held",
        "送信を保留し、誰かの確認を待っています",
        "waits, before it leaves, until somebody has looked at it",
    ),
    (
        "onward.back",
        "一度ここから転送したメールが戻ってきたため（転送のループ）、もう転送していません",
        "was passed on from here before and has come back (a loop of forwards): it goes on no more",
    ),
    (
        "outgoing.notice.left-out",
        "組織の注意書きは、安全に加えられないため付けていません",
        "left without the organisation's notice, which could not be added safely",
    ),
    (
        "outgoing.tls.not-required",
        "差出人の指定（TLS-Required: No）により、TLS で守れなくても送ります",
        "leaves even where TLS cannot protect it, as its author says (TLS-Required: No)",
    ),
    (
        "outgoing.returns.many",
        "この人が最近送ったメールの多くが届かずに戻っています",
        "comes from somebody much of whose mail has lately come back",
    ),
    (
        "outgoing.rate.pressed",
        "この人の送信が宛先数の上限に達した後も、送信が繰り返し試みられています",
        "comes from somebody who has reached the limit of recipients, and presses on",
    ),
    (
        "outgoing.network.new",
        "この人がこれまで送信したことのないネットワークからの大量送信です",
        "many recipients, from a network that this person has never sent from",
    ),
    (
        "outgoing.country.new",
        "この人がこれまで送信したことのない国からの送信です",
        "comes from a country that this person has never sent from",
    ),
];
