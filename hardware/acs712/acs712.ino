// A Hall sensor ACS712 on an Arduino (Uno, Nano), for direct current: a line of watts each second at 9600 baud, and, with a
// fuel gauge MAX17043 on I2C, `vcell|soc|watts`. DAISEE reads them as kinds "acs712" and "acs712-gauge".
//
// Wires: ACS712 VCC to 5 V, GND to GND, OUT to A0; MAX17043 SDA to A4, SCL to A5, its cell to the battery.
// Half the supply is zero, whatever is drawn when it starts: an Arduino starts anew when its port is opened first. What the chip
// is off by is the same each time: `daisee monitor calibrate` finds it, with nothing drawn.

#define GAUGE 0            // 1 with a MAX17043
#define MV_PER_A 100.0     // 185 for the type of 5 A, 100 for 20 A, 66 for 30 A
#define ZERO_MV 2500.0     // the chip's output without current: half of VCC, which is what the Arduino measures by, too
#define NOMINAL_V 3.7      // DAISEE knows better: `volts` in its configuration
#define SAMPLES 400        // of one line; 0.1 ms each

#if GAUGE
#include <Wire.h>
#define MAX17043 0x36
#endif

double measured_mv() {
  double sum = 0;
  for (int i = 0; i < SAMPLES; i++) {
    sum += analogRead(A0);
    delayMicroseconds(100);
  }
  return sum / SAMPLES * 5000.0 / 1023.0;
}

#if GAUGE
unsigned int gauge(byte reg) {
  Wire.beginTransmission(MAX17043);
  Wire.write(reg);
  Wire.endTransmission();
  Wire.requestFrom(MAX17043, 2);
  unsigned int high = Wire.read();
  return (high << 8) | Wire.read();
}
#endif

void setup() {
  Serial.begin(9600);
#if GAUGE
  Wire.begin();
#endif
}

void loop() {
  unsigned long began = millis();
  double watts = (measured_mv() - ZERO_MV) / MV_PER_A * NOMINAL_V;
#if GAUGE
  Serial.print((gauge(0x02) >> 4) * 0.00125, 4);
  Serial.print('|');
  Serial.print(gauge(0x04) / 256.0, 2);
  Serial.print('|');
#endif
  Serial.println(watts, 2);
  while (millis() - began < 1000) {
  }
}
