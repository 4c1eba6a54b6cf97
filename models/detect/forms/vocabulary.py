"""The words that stand beside values, by the kind of number that they name; without accents. Data."""

from __future__ import annotations

# English, German, French, Spanish, Italian, Portuguese, Dutch and Polish.
BUSINESS = "business"
WORDS = {
    "phone": """
        anruf anrufen answering appel appeler bel bellen call callback called calling calls cell cellphone
        cellulare celular chiamare contact dial dienst direct durchwahl ext extension festnetz fon handy
        hotline komorka landline ligar llamada llamar llame mob mobil mobile movil oddzwonic ph phone
        phones portable reach reached registered ring ruckruf rufen rufnummer signal sms tel tele telefon
        telefone telefonico telefonie telefonnummer telefono telefonu telefoon telefoonnummer telemovel
        telephone telephoner terugbellen text tfn toll voicemail whatsapp
    """,
    "fax": "facsimile faks fax faxed faxes faxnummer fx telecopie telefax",
    "card": """
        amex bancaire card cards carta cartao carte cc credit creditcard creditcardnummer debit debitcard
        diners discover jcb kaart kaartnummer karta karte kartennummer kk kredietkaart kreditkarte
        kreditkartennummer maestro mastercard pan tarjeta unionpay visa
    """,
    "bank": """
        account accounts acct bank banking bankrekening bic cbu checking clabe compte comptes conta conto
        cuenta depot girokonto iban konto kontonr kontonummer kto rachunek rekening rekeningnummer savings
        sort
    """,
    "routing": "aba ach bankleitzahl blz bsb clearing fedwire micr routing rtn sort transit",
    "ssn": "social sozialversicherungsnummer ss ssn",
    "tax": """
        abn cf codice codicefiscale contribuinte cpf ein employer fein fiscal fiscale fiscales idnr impot
        impots irpf itin nif nip pan partita regon steuer steuerid steueridentifikationsnummer steuernr
        steuernummer tax taxe taxpayer tfn tin utr vat
    """,
    "national": """
        aadhaar ahv ausweis ausweisnr ausweisnummer avs bsn burgerservicenummer carta cartao cedula
        cidadao citizen cnp cpr cuil curp dni dowod egn fodselsnummer hetu identidad identification
        identite identiteitskaart identity insee insurance kennitala national nationale nationality ni nie
        nino nir oib perso personalausweis personnummer pesel pps ppsn registre rentenversicherung
        rentenversicherungsnummer resident rijksregisternummer rut rvnr securite sin sociale
        sozialversicherung sozialversicherungsnummer uid
    """,
    "nhs": "chi nhs",
    "npi": "npi physician practitioner prescriber provider",
    "dea": "dea prescriber registrant",
    "passport": """
        pasaporte paspoort pass passaporte passaporto passeport passeports passnummer passport passports
        paszport paszportu reisepass reisepassnummer
    """,
    "license": """
        carnet carta chauffeur conducao conducir conduire dl dln driver drivers driving fuhrerschein
        fuhrerscheinnummer jazdy korkort learner licence licencia license licenses patente permis permit
        prawo rijbewijs
    """,
    "record": """
        admission akte aufnahmenummer chart dossier dossiernummer ehr emr encounter expediente fallnummer
        historia hospital krankenakte medical mrn paciente pacjent pacjenta patient patienten
        patientennummer patientid patientnummer patients paziente pid record records specimen
    """,
    "plan": """
        assicurazione assurance bcbs beneficiary egk ehic gesundheitskarte group health hic hicn insurance
        insured krankenkasse krankenversichertennummer krankenversicherung kvk kvnr mbi medicaid medicare
        mutuelle payer plan policyholder polis polisnummer polisse sanitaria subscriber tarjetasanitaria
        ubezpieczenia ubezpieczenie versicherten versichertennummer verzekering verzekeringsnummer
    """,
    "vehicle": """
        auto bastidor car chassis chassisnummer fahrgestellnummer fahrzeug fahrzeugidentifikationsnummer
        fin nadwozia telaio truck vehicle vin voiture
    """,
    "plate": """
        car immatriculation kennzeichen kenteken matricula matriculado numberplate nummernschild parked
        parking plate plates reg registration rejestracyjna rejestracyjny tag targa targata vehicle
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
        birth birthdate birthday birthplace born dob geb geboortedag geboortedatum geboren geburtsdatum
        geburtstag nacida nacido nacimiento nacque naissance naissances nasc nascida nascido nascimento
        nascita nata nato ne nee ur urodzenia urodzona urodzony
    """,
    "age": "age aged alt alter anos ans edad jahre old",
    "other_id": """
        adherent applicant application badge beneficiaire booking buchung buchungsnummer case certificate
        claim claims client cliente confirmation contrat contrato customer dossiernummer employee
        enrollment enrolment flyer frequent klant klantnummer klient klienta kunden kundennummer locator
        loyalty mandat mandate matrikelnummer member membership mitglieds mitgliedsnummer personalnummer
        pnr police policy polisy poliza registration reserva reservation schadennummer schadensnummer
        siniestro sinistre socio student szkoda umowy versicherungsnummer versicherungsschein vertrag
        vertragsnummer zakaznik
    """,
    # Right behind a number: how much of something it is.
    "unit": "chf dollar dollars eur euro euros gbp kg km mg miles ml people percent pln pounds units usd years",
    # Of things and of trade: nobody's.
    BUSINESS: """
        amount article articles articulo artikel artikelnummer asin auftrag auftrags auftragsnummer
        barcode batch bedrag beleg bestell bestelling bestellnummer bestellung bin build building catalog
        catalogue celsius cena chambre charge chf commande copies copyright cost costing costs delivery
        dkk dollar dollars dose doses ean employees encomenda error eur euro euros factura facture faktura
        faktury fattura fatura firmware flight floor gate gbp gtin habitacion hectares hour hours importo
        invoice invoices isbn issn issue item items jpy kamer kg km kwota lieferschein lieferscheinnummer
        lieferung locker lot mcg mg miles milligram milligrams ml model montant montante nok order orders
        ordine page pages parcel part pedido people percent platform pln po pokoj population pounds precio
        preco preis prezzo price prices prijs prix product purchase qty quantity quarto quittung raum
        receipt rechnung rechnungs rechnungsnummer rev revision room rooms sala salle seite sek sendung
        sendungsnummer shelf shipment sku stanza stuck tablet tablets ticket ticketnummer tickets total
        tracking train transaction units upc usd users version views vorgang vorgangsnummer warehouse year
        years zamowienia zamowienie zimmer
    """,
    # Behind a telephone number: whose it is.
    "place": "bureau buro casa desk home lavoro office trabajo work",
}

# Words between a value and its name that are no distance: "my account number is".
JOINS = """
    a and are as code de details el es est file following for here id il is ist it it's its la le ma meine
    mi mon my n no nr num number numero nummer of on ref reference su the und was
"""
