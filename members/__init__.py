"""Facts and rules of the club: who is a member, what they ordered, what the programme promises."""
