//! Messages to people: inbox, mail, SMS, one-time secrets.
