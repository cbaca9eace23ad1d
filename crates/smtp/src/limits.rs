//! What one session may cost us.

/// The limits of one session; the numbers and their reasons stand in `terms`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of one message after dots are unstuffed; announced as `SIZE`.
    pub message_bytes: usize,
    /// Recipients that one message may have.
    pub recipients: usize,
    /// Octets of one command line with its CRLF.
    pub command_bytes: usize,
    /// Octets of one text line with its CRLF.
    pub text_line_bytes: usize,
    /// Commands before 421.
    pub commands: usize,
    /// Protocol errors before 421.
    pub errors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: terms::MESSAGE_BYTES,
            recipients: terms::RECIPIENTS,
            command_bytes: terms::SMTP_COMMAND_BYTES,
            text_line_bytes: terms::SMTP_TEXT_LINE_BYTES,
            commands: terms::COMMANDS_PER_SESSION,
            errors: terms::ERRORS_PER_SESSION,
        }
    }
}

impl Limits {
    /// How much of a message that is already lost we read to find its end. Twice the limit lets an
    /// honest sender hear its 552; more is somebody keeping us busy.
    pub(crate) fn drain_bytes(&self) -> usize {
        self.message_bytes.saturating_mul(2).saturating_add(1024 * 1024)
    }

    /// How much of a command line that is already too long we read to find its end.
    pub(crate) fn skip_bytes(&self) -> usize {
        self.command_bytes.saturating_mul(32)
    }
}
