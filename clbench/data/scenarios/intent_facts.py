"""Facts about three datasets of intents: labels, sizes, hashes, citations and licenses."""

from __future__ import annotations

from clbench.core.scenario import DatasetFacts, Version

_CLINC = {
    "banking": """
freeze_account routing pin_change bill_due pay_bill account_blocked interest_rate min_payment bill_balance
transfer order_checks balance spending_history transactions report_fraud
""",
    "credit_cards": """
replacement_card_duration expiration_date damaged_card improve_credit_score report_lost_card card_declined
credit_limit_change apr redeem_rewards credit_limit rewards_balance application_status credit_score
new_card international_fees
""",
    "kitchen_and_dining": """
food_last confirm_reservation how_busy ingredients_list calories nutrition_info recipe restaurant_reviews
restaurant_reservation meal_suggestion restaurant_suggestion cancel_reservation ingredient_substitution
cook_time accept_reservations
""",
    "home": """
what_song play_music todo_list_update reminder reminder_update calendar_update order_status
update_playlist shopping_list calendar next_song order todo_list shopping_list_update smart_home
""",
    "auto_and_commute": """
current_location oil_change_when oil_change_how uber traffic tire_pressure schedule_maintenance gas mpg
distance directions last_maintenance gas_type tire_change jump_start
""",
    "travel": """
plug_type travel_notification translate flight_status international_visa timezone exchange_rate
travel_suggestion travel_alert vaccines lost_luggage book_flight book_hotel carry_on car_rental
""",
    "utility": """
weather alarm date find_phone share_location timer make_call calculator definition measurement_conversion
flip_coin spelling time roll_dice text
""",
    "work": """
pto_request_status next_holiday insurance_change insurance meeting_schedule payday taxes income
rollover_401k pto_balance pto_request w2 schedule_meeting direct_deposit pto_used
""",
    "small_talk": """
who_made_you meaning_of_life who_do_you_work_for do_you_have_pets what_are_your_hobbies fun_fact
what_is_your_name where_are_you_from goodbye thank_you greeting tell_joke are_you_a_bot how_old_are_you
what_can_i_ask_you
""",
    "meta": """
change_speed user_name whisper_mode yes change_volume no change_language repeat change_accent cancel
sync_device change_user_name change_ai_name reset_settings maybe
""",
}
CLINC_DOMAINS = {domain: tuple(labels.split()) for domain, labels in _CLINC.items()}
"""The 10 domains of CLINC150 with 15 intents each, in the order of the authors' ``domains.json``."""

_BANKING = """
Refund_not_showing_up activate_my_card age_limit apple_pay_or_google_pay atm_support automatic_top_up
balance_not_updated_after_bank_transfer balance_not_updated_after_cheque_or_cash_deposit
beneficiary_not_allowed cancel_transfer card_about_to_expire card_acceptance card_arrival
card_delivery_estimate card_linking card_not_working card_payment_fee_charged card_payment_not_recognised
card_payment_wrong_exchange_rate card_swallowed cash_withdrawal_charge cash_withdrawal_not_recognised
change_pin compromised_card contactless_not_working country_support declined_card_payment
declined_cash_withdrawal declined_transfer direct_debit_payment_not_recognised disposable_card_limits
edit_personal_details exchange_charge exchange_rate exchange_via_app extra_charge_on_statement
failed_transfer fiat_currency_support get_disposable_virtual_card get_physical_card getting_spare_card
getting_virtual_card lost_or_stolen_card lost_or_stolen_phone order_physical_card passcode_forgotten
pending_card_payment pending_cash_withdrawal pending_top_up pending_transfer pin_blocked receiving_money
request_refund reverted_card_payment? supported_cards_and_currencies terminate_account
top_up_by_bank_transfer_charge top_up_by_card_charge top_up_by_cash_or_cheque top_up_failed top_up_limits
top_up_reverted topping_up_by_card transaction_charged_twice transfer_fee_charged transfer_into_account
transfer_not_received_by_recipient transfer_timing unable_to_verify_identity verify_my_identity
verify_source_of_funds verify_top_up virtual_card_not_working visa_or_mastercard why_verify_identity
wrong_amount_of_cash_received wrong_exchange_rate_for_cash_withdrawal
"""
BANKING_LABELS = tuple(_BANKING.split())

_HWU = """
alarm_query alarm_remove alarm_set audio_volume_down audio_volume_mute audio_volume_up calendar_query
calendar_remove calendar_set cooking_recipe datetime_convert datetime_query email_addcontact email_query
email_querycontact email_sendemail general_affirm general_commandstop general_confirm general_dontcare
general_explain general_joke general_negate general_praise general_quirky general_repeat iot_cleaning
iot_coffee iot_hue_lightchange iot_hue_lightdim iot_hue_lightoff iot_hue_lighton iot_hue_lightup
iot_wemo_off iot_wemo_on lists_createoradd lists_query lists_remove music_likeness music_query
music_settings news_query play_audiobook play_game play_music play_podcasts play_radio qa_currency
qa_definition qa_factoid qa_maths qa_stock recommendation_events recommendation_locations
recommendation_movies social_post social_query takeaway_order takeaway_query transport_query
transport_taxi transport_ticket transport_traffic weather_query
"""
HWU_LABELS = tuple(_HWU.split())
"""A label is the scenario, an underscore and the intent."""

INTENTS = {
    "clinc150": DatasetFacts(
        "CLINC150, in-scope intents (Larson et al. 2019, EMNLP)",
        "CC BY 3.0",
        tuple(label for labels in CLINC_DOMAINS.values() for label in labels),
        (
            Version(
                "oos-eval, data_full.json",
                {"train": 15000, "validation": 3000, "test": 4500},
                "f782624618185030f27d2eb580404f3b",
            ),
        ),
        ("larson2019clinc150",),
    ),
    "banking77": DatasetFacts(
        "BANKING77 (Casanueva et al. 2020, NLP4ConvAI)",
        "CC BY 4.0",
        BANKING_LABELS,
        (
            Version(
                "task-specific-datasets", {"train": 10003, "test": 3080}, "30e0a5e5d95372b9bf428a896b271515"
            ),
        ),
        ("casanueva2020banking77",),
    ),
    "hwu64": DatasetFacts(
        "HWU64 (Liu et al. 2019, IWSDS), split of the repository Few-Shot-Intent-Detection",
        "CC BY-SA 3.0",
        HWU_LABELS,
        (
            Version(
                "Few-Shot-Intent-Detection",
                {"train": 8954, "validation": 1076, "test": 1076},
                "73df8924c511dd66f2355336b329f18f",
            ),
        ),
        ("liu2019hwu64",),
    ),
}
