//! The scanner takes the message apart; its questions to the DNS go through us.

use crate::Fault;
use crate::arrival::{Examined, Received};
use crate::neighbours::Neighbours;
use crate::questions::Questions;
use flight::Scanners;
use wire::Channel;
use wire::control::Report;
use wire::names::{Answer, Question};
use wire::scanner::Sender;

/// Our scanner, at work on one message.
struct Bench<'a> {
    house: &'a mut Neighbours,
    received: &'a Received,
    questions: Questions,
}

pub(crate) fn examine(received: Received, house: &mut Neighbours) -> Result<Examined, Fault> {
    let offered = &received.offered;
    let sender = Sender {
        client_ip: offered.client_ip,
        helo: offered.helo.clone(),
        mail_from: received.from(),
    };
    let host_name = house.host_name().to_owned();
    let mut bench = Bench { house, received: &received, questions: Questions::default() };
    let seen = flight::examine(&received.text, Some(&sender), &host_name, &mut bench)?;
    Ok(Examined { received, seen })
}

impl Scanners for Bench<'_> {
    fn ready(&mut self) -> Option<&mut Channel> {
        self.house.scanner().ok()
    }

    fn at_work(&mut self) -> Option<&mut Channel> {
        self.house.scanner_channel().ok()
    }

    fn gone(&mut self) {
        self.questions = Questions::default();
        self.house.scanner_gone();
    }

    fn answer(&mut self, question: &Question) -> Answer {
        self.questions.put(self.house, self.received, question)
    }

    fn killed(&mut self) {
        let what = format!("message {} killed two scanners", self.received.id);
        self.house.report(&Report::Alarm { what });
    }
}
