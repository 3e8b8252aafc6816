set output 'Timing5.svg
set terminal svg
set multiplot
set grid
set title "Clients duration"
set xlabel "audio cycles"
set ylabel "usec"
plot "/tmp/pw8Khw/prof" using 10 title "pw-play/51" with lines, "/tmp/pw8Khw/prof" using 18 title "pw-play/45" with lines
unset multiplot
unset output
