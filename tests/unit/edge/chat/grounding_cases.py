"""Sentences that a model might write, and whether the passage that it was given bears them out. Written for this.

By topic: DEVELOPMENT set the thresholds of `edge.chat.grounding`; rules were mended after a look at CHECK and FRESH,
too. HELD_OUT was written last and only measures: nothing was changed for it.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One sentence. `kind`: how it was made of the passage."""

    passage: str
    sentence: str
    grounded: bool
    kind: str
    question: str = ""


LIBRARY = (
    "The reading room is open from Monday to Friday from 9:00 to 18:00 and on Saturday from 10:00 to 14:00. "
    "It is closed on Sunday. You do not need a card to read here, but you need one to borrow books. "
    "A card costs £12 a year; for students it is free. You can borrow up to 8 books for 3 weeks."
)
POOL = (
    "Children under 8 must be accompanied by an adult. A single ticket costs £4 for adults and £2.50 for children. "
    "Armbands are lent at the desk without charge. Do not run beside the pool and do not bring glass. "
    "The sauna may not be used by people under 16. Swimming lessons begin on 3 May at 5 pm."
)
SURGERY = (
    "Do not eat for six hours before the operation. You may drink clear water until two hours before it. "
    "Dr Halloran leads the surgical team and Dr Osei leads the anaesthetists. "
    "Take off rings, watches and contact lenses. If you take blood thinners, ring us on 01632 960555 a week before. "
    "Somebody must drive you home, and you must not drive for 24 hours."
)
BANK = (
    "You can order a new card in the app or at any branch. It arrives within 5 working days. "
    "A replacement for a lost card costs 10 euros; if it was stolen, there is no charge. "
    "You can withdraw at most 500 euros a day at machines. The PIN is never sent by e-mail. "
    "Report a stolen card at once at help@lindenbank.example or on 0800 300 400."
)
DEVELOPMENT = (
    Case(LIBRARY, "The reading room is open from Monday to Friday from 9:00 to 18:00.", True, "part"),
    Case(LIBRARY, "On Saturday the reading room is open from 10:00 to 14:00.", True, "turned"),
    Case(LIBRARY, "The reading room is open on weekdays from 9 am to 6 pm.", True, "paraphrase"),
    Case(LIBRARY, "The reading room is closed on Sunday.", True, "reference"),
    Case(LIBRARY, "You do not need a card to read here.", True, "part"),
    Case(LIBRARY, "You need a card to borrow books.", True, "part"),
    Case(LIBRARY, "A card costs £12 a year.", True, "part"),
    Case(LIBRARY, "For students the card is free.", True, "turned"),
    Case(LIBRARY, "You can borrow up to eight books for three weeks.", True, "numbers in words"),
    Case(LIBRARY, "You can borrow up to 8 books for 3 weeks, and a card costs £12 a year.", True, "joined"),
    Case(LIBRARY, "Yes, you need a card to borrow books.", True, "yes", "Do I need a card to borrow books?"),
    Case(LIBRARY, "The reading room is open from Monday to Friday from 9:00 to 19:00.", False, "number"),
    Case(LIBRARY, "On Saturday the reading room is open from 9:00 to 18:00.", False, "swapped days"),
    Case(LIBRARY, "The reading room is open on Sunday.", False, "denial"),
    Case(LIBRARY, "The reading room is open from Monday to Saturday from 9:00 to 18:00.", False, "days"),
    Case(LIBRARY, "You need a card to read here.", False, "denial"),
    Case(LIBRARY, "You do not need a card to borrow books.", False, "denial"),
    Case(LIBRARY, "A card costs £21 a year.", False, "number"),
    Case(LIBRARY, "A card costs £12 a month.", False, "unit"),
    Case(LIBRARY, "For students a card costs £12.", False, "swapped price"),
    Case(LIBRARY, "You can borrow up to 3 books for 8 weeks.", False, "swapped numbers"),
    Case(LIBRARY, "The reading room has free coffee for students.", False, "invented"),
    Case(LIBRARY, "You can renew books online as often as you like.", False, "invented"),
    Case(LIBRARY, "The reading room is next to the Town Hall.", False, "invented name"),
    Case(LIBRARY, "Ask Mrs Fletcher at the desk for a card.", False, "invented name"),
    Case(LIBRARY, "Yes, a card is free.", False, "yes", "Is a card free?"),
    Case(LIBRARY, "I do not know.", False, "declined"),
    Case(LIBRARY, "The capital of Brazil is Brasília.", False, "off topic"),
    Case(POOL, "Children under 8 must be accompanied by an adult.", True, "part"),
    Case(POOL, "A single ticket costs £4 for adults.", True, "part"),
    Case(POOL, "Children pay £2.50 for a single ticket.", True, "paraphrase"),
    Case(POOL, "You can borrow armbands at the desk without charge.", True, "paraphrase"),
    Case(POOL, "Do not bring glass.", True, "part"),
    Case(POOL, "Swimming lessons begin on 3 May at 17:00.", True, "clock"),
    Case(POOL, "People under 16 may not use the sauna.", True, "turned"),
    Case(POOL, "Children under 8 may come without an adult.", False, "denial"),
    Case(POOL, "Children under 10 must be accompanied by an adult.", False, "number"),
    Case(POOL, "A single ticket costs £4 for children.", False, "swapped price"),
    Case(POOL, "A single ticket costs £2.50 for adults and £4 for children.", False, "swapped price"),
    Case(POOL, "Armbands cost £2.50.", False, "swapped price"),
    Case(POOL, "You may run beside the pool.", False, "denial"),
    Case(POOL, "Bring glass to the pool.", False, "denial"),
    Case(POOL, "The sauna may be used by people under 16.", False, "denial"),
    Case(POOL, "Swimming lessons begin on 3 May at 5 am.", False, "clock"),
    Case(POOL, "Swimming lessons begin on 3 June at 5 pm.", False, "month"),
    Case(POOL, "Swimming lessons end on 3 May at 5 pm.", False, "opposite"),
    Case(POOL, "Visit www.free-tickets.example for a refund.", False, "invented address"),
)
CHECK = (
    Case(SURGERY, "Do not eat for six hours before the operation.", True, "part"),
    Case(SURGERY, "You may drink clear water until two hours before the operation.", True, "reference"),
    Case(SURGERY, "Dr Halloran leads the surgical team.", True, "part"),
    Case(SURGERY, "The anaesthetists are led by Dr Osei.", True, "turned"),
    Case(SURGERY, "Take off rings and watches.", True, "part"),
    Case(SURGERY, "You must not drive for 24 hours.", True, "part"),
    Case(SURGERY, "If you take blood thinners, ring 01632 960555 a week before.", True, "part"),
    Case(SURGERY, "No, you must not drive for 24 hours.", True, "no", "Can I drive after the operation?"),
    Case(SURGERY, "You may eat until six hours after the operation.", False, "opposite"),
    Case(SURGERY, "You may eat before the operation.", False, "denial"),
    Case(SURGERY, "Do not eat for two hours before the operation.", False, "swapped numbers"),
    Case(SURGERY, "Do not drink clear water before the operation.", False, "denial"),
    Case(SURGERY, "You may drink clear water until six hours before it.", False, "swapped numbers"),
    Case(SURGERY, "Dr Osei leads the surgical team.", False, "swapped names"),
    Case(SURGERY, "Dr Halloran leads the anaesthetists.", False, "swapped names"),
    Case(SURGERY, "Dr Miller leads the surgical team.", False, "invented name"),
    Case(SURGERY, "Do not take off rings, watches and contact lenses.", False, "denial"),
    Case(SURGERY, "Ring us on 01632 960556 a week before.", False, "number"),
    Case(SURGERY, "Ring us a week before.", False, "condition"),
    Case(SURGERY, "You can drive after 12 hours.", False, "number"),
    Case(SURGERY, "You may drive home.", False, "denial"),
    Case(SURGERY, "The operation takes two hours.", False, "invented"),
    Case(SURGERY, "Stop taking your medicine a week before.", False, "invented"),
    Case(SURGERY, "Yes, you can drive home.", False, "yes", "Can I drive home?"),
    Case(BANK, "You can order a new card at any branch.", True, "part"),
    Case(BANK, "The new card arrives within 5 working days.", True, "reference"),
    Case(BANK, "A replacement for a lost card costs 10 euros.", True, "part"),
    Case(BANK, "You can withdraw at most 500 euros a day.", True, "part"),
    Case(BANK, "We never send the PIN by e-mail.", True, "turned"),
    Case(BANK, "Report a stolen card at once on 0800 300 400.", True, "part"),
    Case(BANK, "Order a new card in the app and it arrives within 5 working days.", True, "joined"),
    Case(BANK, "The new card arrives within 15 working days.", False, "number"),
    Case(BANK, "The new card arrives within 5 weeks.", False, "unit"),
    Case(BANK, "A replacement for a stolen card costs 10 euros.", False, "swapped price"),
    Case(BANK, "A replacement for a lost card is free.", False, "swapped price"),
    Case(BANK, "You can withdraw at least 500 euros a day at machines.", False, "opposite"),
    Case(BANK, "You can withdraw 5000 euros a day at machines.", False, "number"),
    Case(BANK, "The PIN is sent by e-mail.", False, "denial"),
    Case(BANK, "Report a stolen card at once at help@linden-bank.example.", False, "address"),
    Case(BANK, "Send your PIN to help@lindenbank.example.", False, "invented"),
    Case(BANK, "You can order a new card by post.", False, "invented"),
    Case(BANK, "Paris is lovely in spring.", False, "off topic"),
    Case(BANK, "As an AI language model I can write a poem about cards.", False, "off topic"),
    Case(BANK, "Lost cards are replaced within 5 working days in Berlin.", False, "invented name"),
)  # fmt: skip

WARD = (
    "Visitors are welcome on Ward 7 from 14:00 to 20:00 every day. "
    "At most two visitors may be at a bed at the same time. Flowers are not allowed in intensive care. "
    "Visitors with a cold should stay at home. The ward sister, Mrs Okafor, can be reached on 01632 960770. "
    "A bed for a parent costs £15 a night, breakfast included."
)
OFFICE = (
    "You can apply for a passport with an appointment only. Bring your old passport, a photo that is less than six "
    "months old and your birth certificate. A passport costs 70 euros; for people under 24 it costs 37.50 euros. "
    "It is ready after four weeks. An express passport takes three working days and costs 32 euros more. "
    "The office at Harbour Street is closed on Wednesdays. Payment is by card; we do not take cash."
)
TRAVEL = (
    "Yellow fever vaccination is given by Dr Petrov on Tuesdays, rabies vaccination by Dr Lindqvist on Thursdays. "
    "Have it at least ten days before you travel. Pregnant women should speak to a doctor first. "
    "The certificate is valid for life. Malaria tablets need a prescription, insect repellent does not."
)
FRESH = (
    Case(WARD, "Visitors are welcome from 14:00 to 20:00 every day.", True, "part"),
    Case(WARD, "You can visit from 2 pm to 8 pm every day.", True, "paraphrase"),
    Case(WARD, "At most two visitors may be at a bed.", True, "part"),
    Case(WARD, "Flowers are not allowed in intensive care.", True, "part"),
    Case(WARD, "If you have a cold, stay at home.", True, "paraphrase"),
    Case(WARD, "Mrs Okafor is the ward sister.", True, "part"),
    Case(WARD, "A bed for a parent costs £15 a night.", True, "part"),
    Case(WARD, "Breakfast is included for parents.", True, "paraphrase"),
    Case(WARD, "Visitors are welcome from 14:00 to 22:00 every day.", False, "number"),
    Case(WARD, "Visitors are welcome on Ward 9 from 14:00 to 20:00.", False, "number"),
    Case(WARD, "At least two visitors may be at a bed at the same time.", False, "opposite"),
    Case(WARD, "Flowers are allowed in intensive care.", False, "denial"),
    Case(WARD, "Visitors with a cold are welcome.", False, "denial"),
    Case(WARD, "Mrs Adeyemi, the ward sister, can be reached on 01632 960770.", False, "invented name"),
    Case(WARD, "A bed for a visitor costs £15 a night.", False, "swapped words"),
    Case(WARD, "A bed for a parent costs £15 a week.", False, "unit"),
    Case(WARD, "Breakfast costs £15.", False, "swapped price"),
    Case(WARD, "Parking for visitors is free.", False, "invented"),
    Case(OFFICE, "You can apply for a passport with an appointment only.", True, "part"),
    Case(OFFICE, "Bring your old passport, a photo and your birth certificate.", True, "part"),
    Case(OFFICE, "A passport costs 70 euros.", True, "part"),
    Case(OFFICE, "For people under 24 a passport costs 37.50 euros.", True, "turned"),
    Case(OFFICE, "The passport is ready after 4 weeks.", True, "reference"),
    Case(OFFICE, "An express passport takes three working days.", True, "part"),
    Case(OFFICE, "We do not take cash.", True, "part"),
    Case(OFFICE, "Yes, the office is closed on Wednesdays.", True, "yes", "Is the office closed on Wednesdays?"),
    Case(OFFICE, "You can apply for a passport without an appointment.", False, "denial"),
    Case(OFFICE, "A passport costs 37.50 euros.", False, "condition"),
    Case(OFFICE, "For people under 24 a passport costs 70 euros.", False, "swapped price"),
    Case(OFFICE, "An express passport costs 32 euros.", False, "condition"),
    Case(OFFICE, "An express passport takes four weeks.", False, "swapped numbers"),
    Case(OFFICE, "The passport is ready after three working days.", False, "swapped numbers"),
    Case(OFFICE, "The office is open on Wednesdays.", False, "denial"),
    Case(OFFICE, "We take cash.", False, "denial"),
    Case(OFFICE, "You can pay in cash or by card.", False, "denial"),
    Case(OFFICE, "You must bring two photos.", False, "number"),
    Case(OFFICE, "The office at Station Street is closed on Wednesdays.", False, "invented name"),
    Case(OFFICE, "Send your birth certificate by post.", False, "invented"),
    Case(TRAVEL, "Dr Petrov gives the yellow fever vaccination on Tuesdays.", True, "turned"),
    Case(TRAVEL, "Rabies vaccination is given by Dr Lindqvist on Thursdays.", True, "part"),
    Case(TRAVEL, "Malaria tablets need a prescription.", True, "part"),
    Case(TRAVEL, "Insect repellent does not need a prescription.", True, "paraphrase"),
    Case(TRAVEL, "The certificate is valid for life.", True, "part"),
    Case(TRAVEL, "Rabies vaccination is given on Tuesdays.", False, "swapped days"),
    Case(TRAVEL, "Dr Lindqvist gives the yellow fever vaccination.", False, "swapped names"),
    Case(TRAVEL, "Insect repellent needs a prescription.", False, "denial"),
    Case(TRAVEL, "Malaria tablets do not need a prescription.", False, "denial"),
    Case(TRAVEL, "Have it at most ten days before you travel.", False, "opposite"),
    Case(TRAVEL, "Have it at least ten days after you travel.", False, "opposite"),
    Case(TRAVEL, "Pregnant women should not be vaccinated.", False, "denial"),
    Case(TRAVEL, "The certificate is valid for ten years.", False, "swapped numbers"),
    Case(TRAVEL, "Vaccination against cholera is given on Tuesdays.", False, "invented"),
)  # fmt: skip

SAVINGS = (
    "The savings account pays 1.5 % interest a year. Interest is credited on 31 December. "
    "You can withdraw 2,000 euros a month without notice; larger sums need three months' notice. "
    "The account is free. Deposits are protected up to 100,000 euros. "
    "Children can have an account from birth; until they are 18 a parent signs for them."
)
BLOOD = (
    "The laboratory on the first floor takes blood from 7:30 to 11:00, Monday to Friday. "
    "Do not eat for twelve hours before a cholesterol test; water is allowed. "
    "You need no appointment, but you need the form from your doctor. "
    "Results are sent to your doctor after two days and not given on the phone. "
    "Dr Yilmaz is head of the laboratory; her deputy is Dr Brandt."
)
HELD_OUT = (
    Case(SAVINGS, "The savings account pays 1.5 % interest a year.", True, "part"),
    Case(SAVINGS, "Interest is credited on 31 December.", True, "part"),
    Case(SAVINGS, "Larger sums need three months' notice.", True, "part"),
    Case(SAVINGS, "You can withdraw 2,000 euros a month without notice.", True, "part"),
    Case(SAVINGS, "The account is free.", True, "part"),
    Case(SAVINGS, "Deposits are protected up to €100,000.", True, "paraphrase"),
    Case(SAVINGS, "A parent signs for children until they are 18.", True, "turned"),
    Case(SAVINGS, "The savings account pays 2.5 % interest a year.", False, "number"),
    Case(SAVINGS, "The savings account pays 1.5 % interest a month.", False, "unit"),
    Case(SAVINGS, "Interest is credited on 31 January.", False, "month"),
    Case(SAVINGS, "You can withdraw 2,000 euros a month with three months' notice.", False, "swapped"),
    Case(SAVINGS, "Larger sums need no notice.", False, "denial"),
    Case(SAVINGS, "You cannot withdraw 2,000 euros a month.", False, "denial"),
    Case(SAVINGS, "The account costs 2,000 euros.", False, "swapped price"),
    Case(SAVINGS, "Deposits are protected up to 10,000 euros.", False, "number"),
    Case(SAVINGS, "Deposits are not protected.", False, "denial"),
    Case(SAVINGS, "Children can have an account from the age of 18.", False, "swapped"),
    Case(SAVINGS, "You get a welcome gift of 50 euros.", False, "invented"),
    Case(SAVINGS, "Mr Keller opens savings accounts.", False, "invented name"),
    Case(BLOOD, "The laboratory takes blood from Monday to Friday from 7:30 to 11:00.", True, "turned"),
    Case(BLOOD, "The laboratory is on the first floor.", True, "paraphrase"),
    Case(BLOOD, "Do not eat for 12 hours before a cholesterol test.", True, "part"),
    Case(BLOOD, "You need no appointment.", True, "part"),
    Case(BLOOD, "You need the form from your doctor.", True, "part"),
    Case(BLOOD, "Results are sent to your doctor after two days.", True, "part"),
    Case(BLOOD, "Dr Yilmaz is head of the laboratory.", True, "part"),
    Case(BLOOD, "The laboratory takes blood from 7:30 to 11:00 on Saturday.", False, "days"),
    Case(BLOOD, "The laboratory takes blood from 7:30 to 12:00.", False, "number"),
    Case(BLOOD, "The laboratory is on the second floor.", False, "invented"),
    Case(BLOOD, "Do not eat for two hours before a cholesterol test.", False, "swapped numbers"),
    Case(BLOOD, "Water is not allowed before a cholesterol test.", False, "denial"),
    Case(BLOOD, "You may eat before a cholesterol test.", False, "denial"),
    Case(BLOOD, "You need an appointment.", False, "denial"),
    Case(BLOOD, "You need no form from your doctor.", False, "denial"),
    Case(BLOOD, "Results are given on the phone after two days.", False, "denial"),
    Case(BLOOD, "Results are sent to you after two days.", False, "swapped"),
    Case(BLOOD, "Dr Brandt is head of the laboratory.", False, "swapped names"),
    Case(BLOOD, "Dr Yilmaz is the deputy.", False, "swapped names"),
    Case(BLOOD, "The test costs 20 euros.", False, "invented"),
)  # fmt: skip
PLACES = {
    LIBRARY: ("Town library", "Reading room"),
    POOL: ("Swimming pool", "House rules"),
    SURGERY: ("Day surgery", "Before the operation"),
    BANK: ("Cards", "Lost and stolen cards"),
    WARD: ("Ward 7", "Visiting"),
    OFFICE: ("Passports", ""),
    TRAVEL: ("Travel clinic", "Vaccinations"),
    SAVINGS: ("Accounts", "Savings account"),
    BLOOD: ("Laboratory", "Blood tests"),
}
