//! The root sealed by a key in a PKCS#11 token. The vendor's module is loaded by a helper, a
//! program of its own that lives for one question; this process never sees more than a line of it.

use data_encoding::BASE32_NOPAD;
use root::{Fault, Root, RootSeal, TOKEN_HEAD};
use settings::Unseal;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// A token, the key in it, and the PIN for it.
pub struct Token {
    helper: PathBuf,
    module: PathBuf,
    label: String,
    key: String,
    pin: Zeroizing<String>,
}

impl Token {
    /// `None`: the settings name no helper.
    pub fn of(unseal: &Unseal, pin: &str) -> Option<Self> {
        let is_named = !unseal.token_helper.as_os_str().is_empty();
        is_named.then(|| Self {
            helper: unseal.token_helper.clone(),
            module: unseal.token_module.clone(),
            label: unseal.token.clone(),
            key: unseal.token_key.clone(),
            pin: Zeroizing::new(pin.trim().to_owned()),
        })
    }

    /// Has the token make the key that will seal.
    pub fn make_key(&self) -> Result<(), Fault> {
        self.ask("make", &[]).map(|_| ())
    }

    fn ask(&self, act: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let fault = |what: String| Fault::Token { what };
        let helper = Command::new(&self.helper)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let named = self.helper.display();
        let mut helper = helper.map_err(|error| fault(format!("{named}: {error}")))?;
        let question = self
            .question(act, data)
            .ok_or(Fault::Shape { expected: "settings of a token in one line each" })?;
        if let Some(mut stdin) = helper.stdin.take() {
            // One that ends early says why on its standard error.
            let _ = stdin.write_all(question.as_bytes());
        }
        let output = helper.wait_with_output().map_err(|error| fault(error.to_string()))?;
        let answer = Zeroizing::new(output.stdout);
        if !output.status.success() {
            let why: String = String::from_utf8_lossy(&output.stderr).chars().take(400).collect();
            return Err(fault(why.trim().to_owned()));
        }
        let bytes = BASE32_NOPAD.decode(answer.trim_ascii());
        bytes.map(Zeroizing::new).map_err(|_| fault("another answer than base32".to_owned()))
    }

    fn question(&self, act: &str, data: &[u8]) -> Option<Zeroizing<String>> {
        let module = self.module.to_str()?;
        let parts = [module, &self.label, &self.key, &self.pin];
        let fits = parts.iter().all(|part| !part.contains(['\n', '\r']));
        let data = Zeroizing::new(BASE32_NOPAD.encode(data));
        let (label, key, pin) = (&self.label, &self.key, self.pin.as_str());
        let text = format!(
            "module {module}\ntoken {label}\nkey {key}\npin {pin}\nact {act}\ndata {}\n",
            data.as_str()
        );
        fits.then(|| Zeroizing::new(text))
    }
}

impl RootSeal for Token {
    fn word(&self) -> &'static str {
        "token"
    }

    fn seal(&self, root: &Root) -> Result<Vec<String>, Fault> {
        let sealed = self.ask("seal", root.as_slice())?;
        Ok(vec![format!("{TOKEN_HEAD}{}", BASE32_NOPAD.encode(&sealed))])
    }

    fn open(&self, kept: &[String]) -> Result<Root, Fault> {
        let shape = || Fault::Shape { expected: "a root that a token sealed" };
        let lines = kept.iter().flat_map(|text| text.lines());
        let line = lines.map(str::trim).find_map(|line| line.strip_prefix(TOKEN_HEAD));
        let sealed = BASE32_NOPAD.decode(line.ok_or_else(shape)?.as_bytes());
        let opened = self.ask("open", &sealed.map_err(|_| shape())?)?;
        let root: [u8; root::ROOT_BYTES] = opened.as_slice().try_into().map_err(|_| shape())?;
        Ok(Zeroizing::new(root))
    }
}

/// The settings of a token as the command line gives them to `init`, before there is a file.
pub fn settings_of(module: &str, label: &str, helper: &Path) -> Unseal {
    Unseal {
        token_helper: helper.to_owned(),
        token_module: PathBuf::from(module),
        token: label.to_owned(),
        ..Unseal::default()
    }
}
