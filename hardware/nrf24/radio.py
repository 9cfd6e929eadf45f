#!/usr/bin/env python3
"""Reads an nRF24L01+ on SPI, and writes each frame of 16 bytes as a line of hex: the radio of a CitizenWatt sensor.

Stands alone: it needs pyrf24 (pip install pyrf24; its licence is GPL-2), and nothing of DAISEE needs it. DAISEE starts it by
`radio = "python3 radio.py ..."`, or anything else that writes such lines.

Wires, on a Raspberry Pi: VCC to 3.3 V (pin 17), GND to pin 20, CE to GPIO 25 (pin 22), CSN to CE0 (pin 24), SCK to pin 23,
MOSI to pin 19, MISO to pin 21. SPI is switched on with raspi-config.
"""

import argparse
import sys
import time

FRAME_BYTES = 16


def settings():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Write the frames of a CitizenWatt radio sensor as lines of hex.")
    whole = {"type": lambda text: int(text, 0)}
    parser.add_argument("--ce", default=25, help="the GPIO that CE is on (default: 25)", **whole)
    parser.add_argument("--csn", default=0, help="the SPI device that CSN is on (default: 0)", **whole)
    parser.add_argument("--channel", default=0x4C, help="the radio channel (default: 0x4c)", **whole)
    parser.add_argument("--address", default=0xE056D446D0, help="the pipe's address (default: 0xE056D446D0)", **whole)
    parser.add_argument("--rate", choices=("250k", "1M", "2M"), default="1M", help="as the sensor's sketch has it; try 250k too")
    return parser.parse_args()


def main():
    """Listen for ever."""
    given = settings()
    try:
        import pyrf24
    except ImportError:
        sys.exit("radio.py needs pyrf24: pip install pyrf24")
    radio = pyrf24.RF24(given.ce, given.csn)
    if not radio.begin():
        sys.exit("no nRF24L01+ answers on SPI: look at its wires, and whether SPI is switched on (raspi-config)")
    radio.channel = given.channel
    radio.data_rate = {"250k": pyrf24.RF24_250KBPS, "1M": pyrf24.RF24_1MBPS, "2M": pyrf24.RF24_2MBPS}[given.rate]
    radio.crc_length = pyrf24.RF24_CRC_16
    radio.set_auto_ack(True)
    radio.payload_size = FRAME_BYTES
    radio.open_rx_pipe(1, given.address.to_bytes(5, "little"))
    radio.listen = True
    while True:
        if radio.available():
            sys.stdout.write(bytes(radio.read(FRAME_BYTES)).hex() + "\n")
            sys.stdout.flush()
        else:
            time.sleep(0.02)


if __name__ == "__main__":
    main()
