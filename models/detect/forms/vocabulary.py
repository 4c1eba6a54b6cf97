"""The words that stand beside values, by the kind of number that they name; without accents. Data."""

from __future__ import annotations

# English, German, French and Spanish, with some Italian and Dutch.
WORDS = {
    "phone": """
        anruf anrufen answering appel appeler call callback called calling calls cell cellphone contact
        desk dial dienst direct durchwahl ext extension festnetz handy home hotline landline llamada
        llamar llame mob mobil mobile movil office ph phone phones portable reach reached registered ring
        ruckruf rufen rufnummer signal sms tel tele telefon telefone telefonnummer telefono telefoon
        telephone telephoner text tfn toll voicemail whatsapp work
    """,
    "fax": "facsimile fax faxed faxes faxnummer telecopie telefax",
    "card": """
        amex card cards carte cc credit creditcard debit debitcard diners discover jcb karte kartennummer
        kreditkarte kreditkartennummer maestro mastercard pan tarjeta unionpay visa
    """,
    "bank": """
        account accounts acct bank banking bic cbu checking clabe compte conto cuenta depot girokonto iban
        konto kontonummer kto rekening savings sort
    """,
    "routing": "aba ach bankleitzahl blz bsb clearing fedwire micr routing rtn sort transit",
    "ssn": "social sozialversicherungsnummer ss ssn",
    "tax": """
        abn cf codice cpf ein employer fein fiscal fiscale fiscales idnr impot impots irpf itin nif pan
        partita steuer steuerid steueridentifikationsnummer steuernummer tax taxe taxpayer tfn tin utr vat
    """,
    "national": """
        aadhaar ahv ausweis ausweisnr ausweisnummer avs bsn burgerservicenummer cedula citizen cnp cpr
        cuil curp dni egn fodselsnummer hetu identidad identification identite identity insee insurance
        national nationale nationality ni nie nino nir oib perso personalausweis personnummer pesel pps
        ppsn registre rentenversicherung rentenversicherungsnummer resident rijksregisternummer rut rvnr
        securite sin sociale sozialversicherung sozialversicherungsnummer uid
    """,
    "nhs": "chi nhs",
    "npi": "npi physician practitioner prescriber provider",
    "dea": "dea prescriber registrant",
    "passport": """
        pasaporte paspoort pass passaporto passeport passnummer passport passports reisepass
        reisepassnummer
    """,
    "license": """
        carnet chauffeur conducir conduire dl dln driver drivers driving fuhrerschein fuhrerscheinnummer
        learner licence license licenses patente permis permit rijbewijs
    """,
    "record": """
        admission akte aufnahmenummer chart dossier ehr emr encounter expediente fallnummer historia
        hospital krankenakte medical mrn paciente patient patienten patientennummer patientid patients
        paziente pid record records specimen
    """,
    "plan": """
        assurance bcbs beneficiary egk ehic gesundheitskarte group health hic hicn insurance insured
        krankenkasse krankenversichertennummer krankenversicherung kvk kvnr mbi medicaid medicare mutuelle
        payer plan policyholder sanitaria subscriber tarjetasanitaria versicherten versichertennummer
    """,
    "vehicle": """
        auto bastidor car chassis fahrgestellnummer fahrzeug fahrzeugidentifikationsnummer fin truck
        vehicle vin voiture
    """,
    "plate": """
        car immatriculation kennzeichen kenteken matricula nummernschild parked parking plate plates reg
        registration tag targa vehicle
    """,
    "device": """
        asset device eid equipment geraet gerat geratenummer handset iccid imei imeisv implant meid modem
        pacemaker router serial serie seriennummer sn udi udid uuid
    """,
    "crypto": """
        bitcoin btc coin crypto doge eth ethereum litecoin ltc monero ripple tron usdt wallet xrp
    """,
    "ip": "address host ip ipv server",
    "zip": "cap codepostal cp plz postal postale postcode postcodes postleitzahl zip zipcode",
    "birth": """
        birth birthdate birthday birthplace born dob geb geboortedatum geboren geburtsdatum geburtstag
        nacida nacido nacimiento naissance nascita nata nato ne nee
    """,
    "age": "age aged alt alter anos ans edad jahre old",
    "other_id": """
        adherent applicant application badge beneficiaire booking buchung buchungsnummer case certificate
        claim claims client cliente confirmation contrat contrato customer dossiernummer employee
        enrollment enrolment flyer frequent kunden kundennummer locator loyalty mandat mandate
        matrikelnummer member membership mitglieds mitgliedsnummer personalnummer pnr police policy poliza
        registration reserva reservation schadennummer schadensnummer siniestro sinistre socio student
        versicherungsnummer versicherungsschein vertrag vertragsnummer
    """,
    # Of things and of trade: nobody's.
    "business": """
        amount article articles articulo artikel artikelnummer asin auftrag auftrags auftragsnummer
        barcode batch beleg bestell bestellnummer bestellung bin build building catalog catalogue celsius
        chambre charge commande copies copyright cost costing costs delivery dollar dollars dose doses ean
        employees error eur euro euros factura facture firmware flight floor gate gbp gtin habitacion
        hectares hour hours invoice invoices isbn issn issue item items kg km lieferschein
        lieferscheinnummer lieferung locker lot mcg mg miles milligram milligrams ml model order orders
        page pages parcel part pedido people percent platform po population pounds precio preis price
        prices prix product purchase qty quantity quittung raum receipt rechnung rechnungs rechnungsnummer
        rev revision room rooms sala salle seite sendung sendungsnummer shelf shipment sku stuck tablet
        tablets ticket ticketnummer tickets total tracking train transaction units upc usd users version
        views vorgang vorgangsnummer warehouse year years zimmer
    """,
}

# Words between a value and its name that are no distance: "my account number is".
JOINS = """
    a and are as code de details el es est file following for here id il is ist it it's its la le ma meine
    mi mon my n no nr num number numero nummer of on ref reference su the und was
"""
