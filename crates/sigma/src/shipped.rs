//! The rules that are shipped (`rules/README.md`: whose they are, and under which licence).

use crate::{Rule, Wrong};

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../rules/", $name, ".yml"))),)*]
    };
}

/// Name and text of each.
pub const FILES: &[(&str, &str)] = files! {
    "lnx_auditd_cap_setuid"
    "lnx_auditd_hidden_binary_execution"
    "lnx_auditd_ld_so_preload_mod"
    "lnx_auditd_masquerading_crond"
    "lnx_auditd_susp_cmds"
    "lnx_shell_susp_commands"
    "lnx_susp_dev_tcp"
    "net_connection_lnx_back_connect_shell_dev"
    "proc_creation_lnx_awk_shell_spawn"
    "proc_creation_lnx_base64_execution"
    "proc_creation_lnx_base64_shebang_cli"
    "proc_creation_lnx_clear_logs"
    "proc_creation_lnx_cp_passwd_or_shadow_tmp"
    "proc_creation_lnx_curl_wget_exec_tmp"
    "proc_creation_lnx_dd_process_injection"
    "proc_creation_lnx_env_shell_invocation"
    "proc_creation_lnx_netcat_reverse_shell"
    "proc_creation_lnx_perl_reverse_shell"
    "proc_creation_lnx_php_reverse_shell"
    "proc_creation_lnx_python_pty_spawn"
    "proc_creation_lnx_python_reverse_shell"
    "proc_creation_lnx_susp_pipe_shell"
    "proc_creation_lnx_susp_recon_indicators"
    "proc_creation_lnx_webshell_detection"
};

/// Every rule of [`FILES`], read.
pub fn shipped() -> Vec<Rule> {
    FILES.iter().filter_map(|(_, text)| Rule::parse(text).ok()).collect()
}

/// Those that cannot be read, and why: none, or a test fails.
pub fn unread() -> Vec<(&'static str, Wrong)> {
    FILES.iter().filter_map(|(name, text)| Some((*name, Rule::parse(text).err()?))).collect()
}

/// The page that names the authors.
pub fn page() -> String {
    let mut text = format!(
        "# Sigma rules\n\nGenerated from `crates/sigma/rules` by `cargo xtask generate`. From \
         <https://github.com/SigmaHQ/sigma>, under the Detection Rule License 1.1.\n\n{} rules are \
         shipped, of 248 public ones for Linux (as of 2026-08-05). The others are not part of this \
         repository: `sentinel.rules` in the settings names a folder of further ones, and \
         `sekisho sigma DIR` tells which of them can be read. What that command said of the public \
         ones stands in `crates/sigma/rules/README.md`.\n\n\
         | rule | id | author | status | level |\n|---|---|---|---|---|\n",
        FILES.len()
    );
    for rule in shipped() {
        let Rule { title, id, author, status, level, .. } = &rule;
        let id = if id.is_empty() { "–" } else { id };
        text.push_str(&format!("| {title} | {id} | {author} | {status} | {level} |\n"));
    }
    text
}
